use super::*;

#[path = "pod_tests/compared.rs"]
mod compared;
#[path = "pod_tests/containers.rs"]
mod containers;
#[path = "pod_tests/properties.rs"]
mod properties;
#[path = "pod_tests/spec.rs"]
mod spec;
#[path = "pod_tests/updates.rs"]
mod updates;

fn minimal() -> Value {
    let mut pod = json!({
        "metadata": {"name": "p", "namespace": "n", "labels": {"app": "a"}},
        "spec": {"containers": [{"name": "c", "image": "redis"}]},
    });
    default("v1", &mut pod);
    prepare_create(&mut pod);
    pod
}

/// Sets the value at a JSON pointer, making maps on the way; numbers step into lists.
fn put(object: &mut Value, pointer: &str, value: Value) {
    let mut here = object;
    for step in pointer.split('/').skip(1) {
        here = match step.parse::<usize>() {
            Ok(i) => {
                if !here.is_array() {
                    *here = json!([]);
                }
                let list = here.as_array_mut().unwrap();
                while list.len() <= i {
                    list.push(json!({}));
                }
                &mut list[i]
            }
            Err(_) => {
                if !here.is_object() {
                    *here = json!({});
                }
                here.as_object_mut()
                    .unwrap()
                    .entry(step.replace("~1", "/"))
                    .or_insert(Value::Null)
            }
        };
    }
    *here = value;
}

fn texts(errors: &ErrorList) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}

type Case = (Vec<(&'static str, Value)>, Vec<&'static str>);

/// Each case: the places to set, with what, and the beginnings of the errors that follow. Before
/// validation the defaults are filled in, as in a request.
fn check(cases: Vec<Case>) {
    for (changes, want) in cases {
        let mut pod = minimal();
        for (pointer, value) in &changes {
            put(&mut pod, pointer, value.clone());
        }
        default("v1", &mut pod);
        let got = texts(&validate_create(&pod));
        assert_eq!(got.len(), want.len(), "{changes:?}: {got:#?}");
        for (got, want) in got.iter().zip(want) {
            assert!(
                got.starts_with(want),
                "{changes:?}:\n got {got}\nwant {want}"
            );
        }
    }
}

const C: &str = "/spec/containers/0";

fn c(rest: &str) -> &'static str {
    // Leaked once per test case; keeps the tables readable.
    Box::leak(format!("{C}{rest}").into_boxed_str())
}

#[test]
fn a_minimal_pod_is_valid() {
    let pod = minimal();
    assert_eq!(texts(&validate_create(&pod)), Vec::<String>::new());
    assert_eq!(
        pod["status"],
        json!({"phase": "Pending", "qosClass": "BestEffort"})
    );
}
