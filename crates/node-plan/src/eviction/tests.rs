use super::*;
use serde_json::json;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn seen(signal: Signal, available: i64) -> Observations {
    Observations::from([(
        signal,
        Observation {
            available,
            capacity: 1000,
        },
    )])
}

fn threshold(signal: Signal, value: i64) -> Threshold {
    Threshold {
        signal,
        value: Amount::Fixed(value),
        grace: None,
        reclaim: None,
    }
}

#[test]
fn hard_thresholds_act_at_once_and_conditions_stay_for_a_while() {
    let thresholds = [threshold(Signal::NodeDisk, 100)];
    let mut memory = Memory::default();
    for (second, available, pressure, acts) in [
        (0, 100, false, false),
        (10, 99, true, true),
        (20, 100, true, false),
        (309, 500, true, false),
        (310, 500, false, false),
    ] {
        let verdict = decide(
            &thresholds,
            &seen(Signal::NodeDisk, available),
            &memory,
            at(second),
        );
        assert_eq!(
            verdict.pressures == [NodeCondition::Disk],
            pressure,
            "{second}"
        );
        assert_eq!(verdict.act.is_some(), acts, "{second}");
        memory = verdict.memory;
    }
}

#[test]
fn soft_thresholds_wait_and_reclaim() {
    let soft = Threshold {
        grace: Some(SignedDuration::from_secs(30)),
        reclaim: Some(Amount::Part(0.05)),
        ..threshold(Signal::Memory, 100)
    };
    let mut memory = Memory::default();
    for (second, available, pressure, acts) in [
        (0, 99, true, false),
        (29, 99, true, false),
        (30, 99, true, true),
        // 150 are wanted once it was short.
        (40, 149, true, true),
        (50, 150, true, false),
        (60, 120, true, false),
    ] {
        let verdict = decide(
            &[soft],
            &seen(Signal::Memory, available),
            &memory,
            at(second),
        );
        assert_eq!(!verdict.pressures.is_empty(), pressure, "{second}");
        assert_eq!(verdict.act.is_some(), acts, "{second}");
        memory = verdict.memory;
    }
}

#[test]
fn memory_comes_first() {
    let thresholds = [
        threshold(Signal::NodeDisk, 100),
        threshold(Signal::Memory, 100),
    ];
    let mut observed = seen(Signal::NodeDisk, 1);
    observed.extend(seen(Signal::Memory, 1));
    let verdict = decide(&thresholds, &observed, &Memory::default(), at(0));
    assert_eq!(
        verdict.act.map(|threshold| threshold.signal),
        Some(Signal::Memory)
    );
    assert_eq!(
        verdict.pressures,
        [NodeCondition::Memory, NodeCondition::Disk]
    );
    // What nobody measured is not short.
    let verdict = decide(&thresholds, &Observations::new(), &Memory::default(), at(0));
    assert_eq!(verdict, Verdict::default());
}

#[test]
fn amounts_and_names() {
    assert_eq!(Amount::Part(0.1).of(1000), 100);
    assert_eq!(Amount::Fixed(7).of(1000), 7);
    for threshold in default_thresholds() {
        let condition = threshold.signal.condition();
        assert_ne!(condition.saying(true), condition.saying(false));
    }
    for name in [
        "memory.available",
        "nodefs.available",
        "nodefs.inodesFree",
        "imagefs.available",
        "imagefs.inodesFree",
        "pid.available",
    ] {
        assert!(Signal::parse(name).is_some(), "{name}");
    }
    assert_eq!(Signal::parse("x"), None);
}

#[test]
fn who_is_taken_by_a_node_that_is_short() {
    let toleration = json!({"key": "node.kubernetes.io/memory-pressure", "operator": "Exists",
        "effect": "NoSchedule"});
    let idle = json!({"spec": {"containers": [{}]}});
    let tolerant = json!({"spec": {"containers": [{}], "tolerations": [toleration]}});
    let burstable = json!({"spec": {"containers": [{"resources": {"requests": {"cpu": "1"}}}]}});
    let critical = json!({"spec": {"priority": 2_000_000_000}});
    let memory = &[NodeCondition::Memory][..];
    let disk = &[NodeCondition::Disk][..];
    for (pod, pressures, want) in [
        (&idle, &[][..], None),
        (
            &idle,
            memory,
            Some("The node had condition: [MemoryPressure]. "),
        ),
        (&tolerant, memory, None),
        (&burstable, memory, None),
        (
            &burstable,
            disk,
            Some("The node had condition: [DiskPressure]. "),
        ),
        (&critical, disk, None),
        (
            &burstable,
            &[NodeCondition::Memory, NodeCondition::Pid],
            Some("The node had condition: [MemoryPressure PIDPressure]. "),
        ),
    ] {
        assert_eq!(admit(pod, pressures).err().as_deref(), want);
    }
}

#[test]
fn what_an_evicted_pod_is_told() {
    let pod = json!({"spec": {"containers": [
        {"name": "a", "resources": {"requests": {"memory": "1Mi"}}},
        {"name": "b", "resources": {"requests": {"memory": "3Mi"}}}, {"name": "c"}]}});
    let used = |name: &str, memory| ContainerUsage {
        name: name.to_owned(),
        memory: Some(memory),
        disk: None,
    };
    let mebi = 1 << 20;
    let observed = Observations::from([(
        Signal::Memory,
        Observation {
            available: 50 * mebi,
            capacity: 1 << 30,
        },
    )]);
    let (text, annotations) = message(
        &threshold(Signal::Memory, 100 * mebi),
        &observed,
        &pod,
        &[
            used("a", 2 * mebi),
            used("b", 2 * mebi),
            used("c", 3 * mebi),
            used("x", 9 * mebi),
        ],
    );
    assert_eq!(
        text,
        "The node was low on resource: memory. Threshold quantity: 100Mi, available: 50Mi. \
         Container a was using 2Mi, request is 1Mi, has larger consumption of memory. Container c \
         was using 3Mi, request is 0, has larger consumption of memory. "
    );
    assert_eq!(annotations["offending_containers"], "a,c");
    assert_eq!(annotations["offending_containers_usage"], "2Mi,3Mi");
    assert_eq!(annotations["starved_resource"], "memory");
}

#[test]
fn pods_that_take_more_disk_than_they_may() {
    let pod = json!({"spec": {
        "volumes": [{"name": "v", "emptyDir": {"sizeLimit": "100"}}, {"name": "w", "emptyDir": {}},
            {"name": "m", "emptyDir": {"medium": "Memory"}}],
        "containers": [{"name": "a", "resources": {"limits": {"ephemeral-storage": "200"}}},
            {"name": "b", "resources": {"limits": {"ephemeral-storage": "300"}}}]}});
    for (volumes, disk, want) in [
        (vec![("v", 100), ("m", 9999)], (100, 100), None),
        (
            vec![("v", 101)],
            (0, 0),
            Some("Usage of EmptyDir volume \"v\" exceeds the limit \"100\". "),
        ),
        (
            vec![("w", 301)],
            (100, 100),
            Some("Pod ephemeral local storage usage exceeds the total limit of containers 500. "),
        ),
        (
            vec![],
            (201, 10),
            Some("Container a exceeded its local ephemeral storage limit \"200\". "),
        ),
    ] {
        let volumes = volumes
            .into_iter()
            .map(|(name, n)| (name.to_owned(), n))
            .collect();
        let used = |name: &str, disk| ContainerUsage {
            name: name.to_owned(),
            memory: None,
            disk: Some(disk),
        };
        let usage = [used("a", disk.0), used("b", disk.1)];
        assert_eq!(storage::exceeded(&pod, &volumes, &usage).as_deref(), want);
    }
}
