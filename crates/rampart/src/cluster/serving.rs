//! Keeping the server's certificate fresh while it runs.

use identity::{Pki, ServingNames, Tls};
use std::time::Duration;

/// Certificates are renewed weeks before they end, so twice a day is more than enough.
const EVERY: Duration = Duration::from_secs(12 * 3600);

/// Serves a new certificate whenever the present one nears its end. Connections that are open
/// keep the one that they were opened with.
pub(super) async fn renew(pki: Pki, names: ServingNames, tls: Tls) {
    loop {
        tokio::time::sleep(EVERY).await;
        let renewed = pki
            .serving(&names, crate::commands::now())
            .and_then(|certificate| match certificate.issued {
                true => tls.replace(&certificate).map(|()| true),
                false => Ok(false),
            });
        match renewed {
            Ok(true) => tracing::info!("the server's certificate was renewed"),
            Ok(false) => {}
            Err(error) => tracing::error!(%error, "cannot renew the server's certificate"),
        }
    }
}
