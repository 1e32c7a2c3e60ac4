//! The admin listener: its door, and the file of its keys.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use super::AdminDesk;
use crate::adapters::kept_file::{KeptFile, Poll};
use crate::adapters::oidc::IdentityProvider;
use crate::app::health::Health;
use crate::app::{StartError, VERSION};
use crate::domain::access::AdminBook;
use crate::domain::config::Config;
use crate::edge::admin::Beside;
use crate::edge::admin::api::door::Door;
use crate::edge::admin::desk::Desk;
use crate::edge::{AdminServer, Inherited};

/// How often the file of keys is looked at for changes.
const KEYS_POLL: Duration = Duration::from_secs(1);

/// The keys of the admin API, as they are at the moment; `None` without a listener.
pub type Admins = Option<Arc<ArcSwap<AdminBook>>>;

/// Their file, and where what it holds is put.
pub type AdminsFile = Option<(KeptFile<AdminBook>, Arc<ArcSwap<AdminBook>>)>;

/// Reads the file of keys, if there is to be a listener.
///
/// # Errors
/// [`StartError::Kept`].
pub fn open(config: &Config) -> Result<(Admins, AdminsFile), StartError> {
    if config.admin.address.is_none() {
        return Ok((None, None));
    }
    let file = KeptFile::<AdminBook>::open(&config.admin.keys_file)?;
    let book = Arc::new(ArcSwap::new(Arc::clone(file.content())));
    Ok((Some(Arc::clone(&book)), Some((file, book))))
}

/// Starts to listen, before everything else, so that it can be asked while a long journal is read.
///
/// # Errors
/// [`StartError`].
pub fn start(
    config: &Config,
    health: &Arc<Health>,
    desk: &Arc<AdminDesk>,
    admins: &Admins,
    inherited: &mut Inherited,
) -> Result<Option<AdminServer>, StartError> {
    let admin = &config.admin;
    let (Some(address), Some(book)) = (&admin.address, admins) else {
        return Ok(None);
    };
    let provider = admin.oidc.as_ref().map(IdentityProvider::new).map(Arc::new);
    let watched = Arc::clone(health);
    let observe = Arc::new(move || watched.vitals());
    let beside = Beside {
        desk: Arc::clone(desk) as Arc<dyn Desk>,
        door: Door::new(admin, Arc::clone(book), provider),
        version: VERSION,
    };
    let bounds = health.bounds();
    let server = AdminServer::start(admin, address, bounds, observe, beside, inherited)?;
    Ok(Some(server))
}

/// Follows the file of keys, for as long as the gateway runs.
pub async fn follow(file: AdminsFile) {
    let Some((mut file, book)) = file else {
        return;
    };
    loop {
        tokio::time::sleep(KEYS_POLL).await;
        match file.poll() {
            Poll::Changed(changed) => {
                book.store(changed);
                tracing::info!("the admins file has changed and was read again");
            }
            Poll::Unchanged => {}
            Poll::Broken(error) => tracing::error!(
                %error,
                "the admins file has changed and cannot be used; the old one stays"
            ),
        }
    }
}
