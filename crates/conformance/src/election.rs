//! Leader election over leases, as client-go does it, with the candidates' clocks as arguments.

use crate::namespace::in_namespace;
use crate::refused;
use anyhow::{Context, Result, ensure};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};

const NAME: &str = "leader";
const SECONDS: i32 = 15;

/// The lease that `candidate` writes at `now` over what it has read.
fn claim(read: Option<&Lease>, candidate: &str, now: Timestamp) -> Lease {
    let before = read.and_then(|lease| lease.spec.as_ref());
    let same = before.and_then(|spec| spec.holder_identity.as_deref()) == Some(candidate);
    let acquired = before
        .filter(|_| same)
        .and_then(|spec| spec.acquire_time.clone())
        .unwrap_or(MicroTime(now));
    let transitions = before.map_or(0, |spec| spec.lease_transitions.unwrap_or(0));
    Lease {
        metadata: read.map_or_else(
            || ObjectMeta {
                name: Some(NAME.into()),
                ..ObjectMeta::default()
            },
            |lease| lease.metadata.clone(),
        ),
        spec: Some(LeaseSpec {
            holder_identity: Some(candidate.into()),
            lease_duration_seconds: Some(SECONDS),
            acquire_time: Some(acquired),
            renew_time: Some(MicroTime(now)),
            lease_transitions: Some(transitions + i32::from(before.is_some() && !same)),
            ..LeaseSpec::default()
        }),
    }
}

/// Whether `candidate` may claim the lease at `now`: it holds it, nobody does, or it has expired.
fn may_claim(lease: &Lease, candidate: &str, now: Timestamp) -> bool {
    let Some(spec) = &lease.spec else { return true };
    let holder = spec.holder_identity.as_deref().unwrap_or_default();
    let Some(MicroTime(renewed)) = spec.renew_time.clone() else {
        return true;
    };
    let seconds = spec.lease_duration_seconds.unwrap_or(0);
    holder.is_empty()
        || holder == candidate
        || now.duration_since(renewed) > SignedDuration::from_secs(seconds.into())
}

fn holder(lease: &Lease) -> &str {
    lease
        .spec
        .as_ref()
        .and_then(|spec| spec.holder_identity.as_deref())
        .unwrap_or_default()
}

/// Of two candidates one wins, at creation, at renewal and at the takeover of an expired lease; the
/// other meets a conflict. Times survive to the microsecond.
pub async fn leader_election(client: &Client) -> Result<()> {
    in_namespace(client, async |client, namespace| {
        let api: Api<Lease> = Api::namespaced(client, &namespace);
        let post = PostParams::default();
        let start: Timestamp = "2026-01-01T00:00:00.123456Z".parse()?;
        let after = |seconds| start.checked_add(SignedDuration::from_secs(seconds));

        // Both find no lease and create it.
        let claims = [claim(None, "one", start), claim(None, "two", start)];
        let (one, two) =
            futures::join!(api.create(&post, &claims[0]), api.create(&post, &claims[1]));
        let (won, lost) = if one.is_ok() { (one, two) } else { (two, one) };
        let won = won.context("nobody could create the lease")?;
        refused("a second lease", lost, 409, "AlreadyExists")?;
        let leader = holder(&won).to_owned();
        let other = if leader == "one" { "two" } else { "one" };
        let stored = won.spec.as_ref().and_then(|spec| spec.renew_time.clone());
        ensure!(stored == Some(MicroTime(start)), "renewTime is {stored:?}");

        // The other one sees a lease that has not expired, and the leader renews it.
        let read = api.get(NAME).await?;
        ensure!(read == won, "read {read:?} after {won:?}");
        ensure!(!may_claim(&read, other, after(SECONDS.into())?), "{read:?}");
        let renewed = api
            .replace(NAME, &post, &claim(Some(&read), &leader, after(10)?))
            .await?;
        ensure!(holder(&renewed) == leader, "{renewed:?}");

        // Whoever thinks that it has expired, from what was read before the renewal, is refused.
        ensure!(may_claim(&read, other, after(16)?), "{read:?}");
        let stale = claim(Some(&read), other, after(16)?);
        let status = refused(
            "a takeover with an old version",
            api.replace(NAME, &post, &stale).await,
            409,
            "Conflict",
        )?;
        ensure!(
            status.message.contains("the object has been modified"),
            "{status:?}"
        );

        // After it expired, both try with the same version: one wins.
        let read = api.get(NAME).await?;
        ensure!(read == renewed, "a refused replace changed the lease");
        let late = after(60)?;
        ensure!(may_claim(&read, other, late), "{read:?}");
        let claims = [
            claim(Some(&read), &leader, late),
            claim(Some(&read), other, late),
        ];
        let (one, two) = futures::join!(
            api.replace(NAME, &post, &claims[0]),
            api.replace(NAME, &post, &claims[1])
        );
        let (won, lost) = if one.is_ok() { (one, two) } else { (two, one) };
        let won = won.context("nobody could claim the expired lease")?;
        refused("a second claim", lost, 409, "Conflict")?;
        let read = api.get(NAME).await?;
        ensure!(read == won, "read {read:?} after {won:?}");

        // The takeover itself, by whoever does not hold it now.
        let next = if holder(&read) == "one" { "two" } else { "one" };
        let taken = api
            .replace(NAME, &post, &claim(Some(&read), next, after(120)?))
            .await?;
        ensure!(holder(&taken) == next, "{taken:?}");
        let count = |lease: &Lease| lease.spec.as_ref().and_then(|spec| spec.lease_transitions);
        ensure!(
            count(&taken) == count(&read).map(|count| count + 1),
            "{taken:?}"
        );
        Ok(())
    })
    .await
}
