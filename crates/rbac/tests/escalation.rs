//! Escalation checks against what the rules allow: who may grant rules holds everything that
//! they allow.

use model::user::UserInfo;
use proptest::prelude::*;
use rbac::escalation::uncovered;
use rbac::{Attributes, Rule};

fn some_of(texts: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
    let one = prop::sample::select(texts).prop_map(str::to_owned);
    prop::collection::vec(one, 0..3)
}

fn rule() -> impl Strategy<Value = Rule> {
    (
        some_of(&["get", "list", "*"]),
        some_of(&["", "apps", "*"]),
        some_of(&["pods", "pods/log", "*/log", "secrets", "*"]),
        prop_oneof![2 => Just(Vec::new()), 1 => some_of(&["a", "b"])],
        prop_oneof![2 => Just(Vec::new()), 1 => some_of(&["/a", "/a/*", "*"])],
    )
        .prop_map(
            |(verbs, api_groups, resources, resource_names, non_resource_urls)| Rule {
                verbs,
                api_groups,
                resources,
                resource_names,
                non_resource_urls,
            },
        )
}

fn rules() -> impl Strategy<Value = Vec<Rule>> {
    prop::collection::vec(rule(), 0..4)
}

/// Every request of a small world.
fn for_each_request(user: &UserInfo, mut each: impl FnMut(&Attributes<'_>)) {
    for verb in ["get", "list", "delete"] {
        for group in ["", "apps", "x.io"] {
            for resource in ["pods", "secrets", "nodes"] {
                for subresource in ["", "log", "exec"] {
                    for name in ["", "a", "b", "c"] {
                        let a = Attributes::resource(user, verb, group, resource);
                        each(&a.of_subresource(subresource).named(name));
                    }
                }
            }
        }
        for path in ["/a", "/a/b", "/b"] {
            each(&Attributes::path(user, verb, path));
        }
    }
}

fn allows(rules: &[Rule], a: &Attributes<'_>) -> bool {
    rules.iter().any(|rule| rule.allows(a))
}

proptest! {
    #[test]
    fn what_may_be_granted_is_held(held in rules(), wanted in rules()) {
        let missing = uncovered(&held, &wanted);
        let user = UserInfo::default();
        let mut escalation = None;
        for_each_request(&user, |a| {
            // What is reported as missing, together with what is held, is all that is wanted.
            if allows(&wanted, a) && !allows(&held, a) && !allows(&missing, a) {
                escalation = Some(format!("{a:?}"));
            }
        });
        prop_assert_eq!(escalation, None, "missing: {:?}", missing);
    }

    #[test]
    fn what_is_held_may_be_granted(held in rules(), more in rules()) {
        prop_assert_eq!(uncovered(&held, &held), Vec::<Rule>::new());
        let both: Vec<Rule> = held.iter().chain(&more).cloned().collect();
        prop_assert_eq!(uncovered(&both, &held), Vec::<Rule>::new());
        let all = [Rule::on(["*"], ["*"], ["*"]), Rule::on_urls(["*"], ["*"])];
        prop_assert_eq!(uncovered(&all, &both), Vec::<Rule>::new());
    }

    #[test]
    fn what_is_missing_is_not_held(held in rules(), wanted in rules()) {
        for single in uncovered(&held, &wanted) {
            prop_assert_eq!(uncovered(&held, std::slice::from_ref(&single)), [single]);
        }
    }
}
