//! Which service account a pod runs as, and whether it has its token.

use super::{BLANK, Check, Pod, Run, Sink, cis, kubeaudit, kubesec, nsa};
use crate::finding::Severity;
use snapshot::Origin;

pub(super) static CHECKS: &[Check] = &[
    Check {
        id: "RMP-SA-001",
        title: "token of the default service account",
        severity: Severity::Medium,
        what: "Pods that run as the service account `default` and have its token mounted.",
        why: "Whatever is ever granted to that account is granted to every such pod, and whoever \
              gets into one may ask the API server in its name.",
        fix: "set automountServiceAccountToken: false, or give the pod a service account of its \
              own",
        example: "spec:\n  automountServiceAccountToken: false",
        references: &[
            cis("5.1.5"),
            cis("5.1.6"),
            nsa("Protecting pod service account tokens"),
            kubeaudit("asat"),
            kubesec("ServiceAccountName"),
            kubesec("AutomountServiceAccountToken"),
        ],
        kubeaudit_override: "allow-automount-service-account-token",
        run: Run::Pods(default_token),
        ..BLANK
    },
    Check {
        id: "RMP-SA-002",
        title: "default service account",
        severity: Severity::Info,
        what: "Pods that run as the service account `default`, with or without its token.",
        why: "Two pods that need nothing now may need different rights tomorrow.",
        fix: "give the pod a service account of its own",
        references: &[cis("5.1.5"), kubesec("ServiceAccountName")],
        run: Run::Pods(default_account),
        ..BLANK
    },
    Check {
        id: "RMP-SA-003",
        title: "missing service account",
        severity: Severity::Medium,
        what: "Pods whose service account is not among what was read.",
        why: "The API server refuses the pod; and whoever creates the account decides what the \
              pod may do.",
        fix: "create the ServiceAccount in the pod's namespace, or correct the name",
        references: &[super::reference(
            crate::finding::Framework::Kubernetes,
            "Configure Service Accounts for Pods",
        )],
        run: Run::Pods(missing_account),
        ..BLANK
    },
];

fn default_token<'a>(pod: &Pod<'a>, sink: &mut Sink<'a, '_>) {
    if pod.template.service_account_name() == "default" && pod.template.automounts_token() {
        let message = "gets the token of the service account that all pods share";
        sink.pod(pod, "automountServiceAccountToken", message);
    }
}

fn default_account<'a>(pod: &Pod<'a>, sink: &mut Sink<'a, '_>) {
    if pod.template.service_account_name() == "default" {
        let message = "runs as the service account that all pods share";
        sink.pod(pod, "serviceAccountName", message);
    }
}

fn missing_account<'a>(pod: &Pod<'a>, sink: &mut Sink<'a, '_>) {
    let name = pod.template.service_account_name();
    let snapshot = pod.snapshot();
    // Every namespace has it, also where that was not added.
    let is_given =
        name == "default" && snapshot.origin() == Origin::Manifests && !snapshot.has_given();
    if pod.template.service_account().is_none()
        && !is_given
        && super::was_read(snapshot, "serviceaccounts")
    {
        let message = format!(
            "there is no ServiceAccount {name} in namespace {}",
            pod.template.namespace()
        );
        sink.pod(pod, "serviceAccountName", message);
    }
}
