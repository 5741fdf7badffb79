//! Why findings of a check have no safe repair, whatever the case.

/// What is not clear, by the check's ID.
pub(super) fn of(id: &str) -> &'static str {
    match id {
        "RMP-POD-001" => "what it needs of the node is not written: a capability, a device, a path",
        "RMP-POD-002" => "root was written, and which other user the image works with is not known",
        "RMP-POD-006" => "somebody added the capability: the program may need it",
        "RMP-POD-009" => "somebody added the capability: the program may need it",
        "RMP-POD-010" => "whether the setting is meant for containers to come is not known",
        "RMP-POD-007" => "files of volumes may belong to that user",
        "RMP-ISO-003" => "somebody wrote that it shall be unconfined",
        "RMP-ISO-004" => "nodes without AppArmor do not start pods that ask for a profile",
        "RMP-ISO-005" => "which container was meant is not known",
        "RMP-ISO-006" | "RMP-ISO-007" | "RMP-ISO-008" => {
            "somebody asked for it: the program may need it"
        }
        "RMP-ISO-009" => "not all nodes and volumes support user namespaces",
        "RMP-ISO-010" => "where the program writes is not known",
        "RMP-ISO-011" => "it may be a daemon of the node",
        "RMP-ISO-012" => "its containers may rely on seeing each other",
        "RMP-HOST-001" | "RMP-HOST-002" | "RMP-HOST-003" | "RMP-HOST-004" | "RMP-HOST-005"
        | "RMP-HOST-006" | "RMP-HOST-007" => {
            "somebody asked for the node's: the program may need it"
        }
        "RMP-HOST-010" => "where else the data can be is not known",
        "RMP-HOST-008" | "RMP-HOST-009" => "whom it is to reach instead is not known",
        "RMP-IMG-001" | "RMP-IMG-002" => "which build of the image is meant is not known",
        "RMP-IMG-003" => "where else the image can be had is not known",
        "RMP-RES-001" | "RMP-RES-002" | "RMP-RES-003" | "RMP-RES-005" => {
            "how much it needs is not known"
        }
        "RMP-RES-004" => "several nodes may need the volume",
        "RMP-SA-002" => "an account of its own is for its author to create and name",
        "RMP-SA-003" => "whether the name is wrong or the account is missing is not known",
        "RMP-NS-001" | "RMP-NS-002" => "which traffic its pods need is not known",
        "RMP-NS-004" => "what its pods need is for its owner to say",
        "RMP-RBAC-013" => "whether the name is wrong or the role is missing is not known",
        "RMP-RBAC-014" => {
            "whether the name or namespace is wrong, or the account is missing, is not known"
        }
        "RMP-SEC-001" => "the program reads the variable: it must learn to read a file",
        "RMP-SEC-002" | "RMP-SEC-003" => {
            "the value belongs into a Secret, and the one that was written here must be changed"
        }
        _ if id.starts_with("RMP-RBAC-") => "which rights its subjects need is not known",
        _ if id.starts_with("RMP-NET-") => "which traffic is meant is not known",
        _ if id.starts_with("RMP-PSP-") => "which pods rely on the policy is not known",
        _ if id.starts_with("RMP-PRI-") => "what the priority is for is not known",
        _ => "there is more than one way to repair it",
    }
}
