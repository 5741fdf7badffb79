use super::*;
use serde_json::json;

fn pod(name: &str, priority: i64) -> Arc<PodInfo> {
    Arc::new(PodInfo::new(&json!({
        "metadata": { "name": name, "namespace": "n", "uid": name },
        "spec": { "priority": priority, "containers": [
            { "resources": { "requests": { "cpu": "1" } } },
        ] },
    })))
}

fn next(queue: &mut Queue, now: u64) -> Option<String> {
    queue.pop(now).map(|pod| pod.key.name.clone())
}

fn fit() -> BTreeSet<Plugin> {
    BTreeSet::from([Plugin::NodeResourcesFit])
}

#[test]
fn priority_first_then_time() {
    let mut queue = Queue::new();
    queue.set(pod("low", 1), 0);
    queue.set(pod("late", 5), 2);
    queue.set(pod("early", 5), 1);
    let order: Vec<_> = std::iter::from_fn(|| next(&mut queue, 3)).collect();
    assert_eq!(order, ["early", "late", "low"]);
}

#[test]
fn a_parked_pod_comes_back_with_the_event_that_helps() {
    let mut queue = Queue::new();
    let waiting = pod("a", 0);
    queue.set(Arc::clone(&waiting), 0);
    assert_eq!(next(&mut queue, 0).as_deref(), Some("a"));
    queue.park(&waiting.key, fit(), 0);
    assert_eq!(next(&mut queue, 5_000), None);
    queue.notice(&Event::PodPlaced(&pod("other", 0)), 5_000);
    queue.notice(&Event::Volumes, 5_000);
    assert!(queue.is_parked(&waiting.key), "neither makes room");
    let mut busy = (*pod("busy", 0)).clone();
    busy.node_name = "n".into();
    queue.notice(&Event::PodGone(&busy), 5_000);
    assert_eq!(next(&mut queue, 5_000).as_deref(), Some("a"));
}

#[test]
fn what_happens_in_flight_is_not_lost() {
    let mut queue = Queue::new();
    let waiting = pod("a", 0);
    queue.set(Arc::clone(&waiting), 0);
    queue.pop(0);
    let mut busy = (*pod("busy", 0)).clone();
    busy.node_name = "n".into();
    queue.notice(&Event::PodGone(&busy), 1);
    queue.park(&waiting.key, fit(), 1);
    assert!(!queue.is_parked(&waiting.key));
    assert_eq!(queue.next_time(), Some(FIRST_BACKOFF));
}

#[test]
fn failures_wait_longer_each_time_and_parked_pods_five_minutes() {
    let mut queue = Queue::new();
    let waiting = pod("a", 0);
    queue.set(Arc::clone(&waiting), 0);
    let mut now = 0;
    for wait in [1_000, 2_000, 4_000, 8_000, 10_000, 10_000] {
        assert_eq!(next(&mut queue, now).as_deref(), Some("a"), "{wait}");
        queue.fail(&waiting.key, now);
        assert_eq!(next(&mut queue, now + wait - 1), None, "{wait}");
        now += wait;
    }
    assert_eq!(next(&mut queue, now).as_deref(), Some("a"));
    queue.park(&waiting.key, fit(), now);
    assert!(!queue.has_next(now + LONGEST_PARKED - 1));
    assert!(queue.has_next(now + LONGEST_PARKED));
    assert_eq!(next(&mut queue, now + LONGEST_PARKED).as_deref(), Some("a"));
}

#[test]
fn who_is_ready_at_about_the_same_time_is_taken_by_priority() {
    let mut queue = Queue::new();
    for (name, priority, time) in [("low", 0, 100), ("high", 9, 200), ("late", 9, 1_100)] {
        let waiting = pod(name, priority);
        queue.set(Arc::clone(&waiting), time);
        queue.pop(time);
        queue.fail(&waiting.key, time);
    }
    let ready = |queue: &mut Queue, now| std::iter::from_fn(|| next(queue, now)).collect();
    let mut at = |now| -> Vec<String> { ready(&mut queue, now) };
    assert_eq!(at(1_000), ["high", "low"]);
    assert_eq!((at(1_999), at(2_000)), (vec![], vec!["late".to_owned()]));
}

#[test]
fn gates_keep_a_pod_until_they_are_taken_away() {
    let mut queue = Queue::new();
    let mut gated = (*pod("a", 0)).clone();
    gated.is_gated = true;
    queue.set(Arc::new(gated.clone()), 0);
    assert_eq!(next(&mut queue, 0), None);
    queue.retry_all(0);
    assert_eq!(next(&mut queue, 0), None);
    gated.is_gated = false;
    queue.set(Arc::new(gated), 0);
    assert_eq!(next(&mut queue, 0).as_deref(), Some("a"));
}

#[test]
fn a_change_of_the_pod_helps_against_who_looks_at_it() {
    for (plugin, is_helped) in [
        (Plugin::NodeResourcesFit, false),
        (Plugin::InterPodAffinity, true),
    ] {
        let mut queue = Queue::new();
        let waiting = pod("a", 0);
        queue.set(Arc::clone(&waiting), 0);
        queue.pop(0);
        queue.park(&waiting.key, BTreeSet::from([plugin]), 0);
        let mut labelled = (*waiting).clone();
        labelled.labels.insert("app".into(), "web".into());
        queue.set(Arc::new(labelled), 5_000);
        assert_eq!(queue.pop(5_000).is_some(), is_helped, "{plugin:?}");
    }
}

#[test]
fn what_only_the_humble_felt_helps_only_them() {
    let mut queue = Queue::new();
    for (name, priority) in [("high", 9), ("low", 1)] {
        let waiting = pod(name, priority);
        queue.set(Arc::clone(&waiting), 0);
        queue.pop(0);
        queue.park(&waiting.key, fit(), 0);
    }
    let mut gated = (*pod("gated", 0)).clone();
    gated.is_gated = true;
    queue.set(Arc::new(gated), 0);
    queue.notice_up_to(5, &Event::PodGone(&pod("nominated", 5)), 5_000);
    let waits = Waits {
        active: 1,
        parked: 1,
        gated: 1,
        backoff: 0,
    };
    assert_eq!(queue.waits(), waits);
    assert_eq!(next(&mut queue, 5_000).as_deref(), Some("low"));
    assert_eq!(queue.attempts(&pod("low", 1).key), 2);
    assert_eq!(queue.waits().active, 0);
}

#[test]
fn a_pod_that_is_removed_is_nowhere() {
    let mut queue = Queue::new();
    for (name, park) in [("a", false), ("b", true)] {
        let waiting = pod(name, 0);
        queue.set(Arc::clone(&waiting), 0);
        if park {
            queue.pop(0);
            queue.park(&waiting.key, fit(), 0);
        }
        assert!(queue.remove(&waiting.key).is_some());
        assert!(queue.is_empty() && !queue.has_next(u64::MAX));
    }
}
