//! What a request from a browser must look like, so that another site can neither read through a
//! name of its own (DNS rebinding) nor act in somebody's name (request forgery).

/// Why a request is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SiteFault {
    /// The `Host` is none of the names that the listener goes by.
    WrongHost,
    /// It comes from another site.
    OtherSite,
}

/// The host of an authority, without its port and in small letters; `None` if it is none.
fn host_of(authority: &str) -> Option<String> {
    let host = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            is_port(port).then_some(host)?
        }
        None => {
            let (host, port) = match authority.find(':') {
                Some(at) => authority.split_at(at),
                None => (authority, ""),
            };
            is_port(port).then_some(host)?
        }
    };
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    (!host.is_empty()).then_some(host)
}

fn is_port(text: &str) -> bool {
    text.is_empty()
        || text
            .strip_prefix(':')
            .is_some_and(|port| port.parse::<u16>().is_ok())
}

/// Checks the `Host` of a request. `names` are those that the listener goes by, in small letters,
/// without ports; addresses without brackets. Loopback addresses and `localhost` always are: a name
/// in the DNS that leads there is not among them.
///
/// # Errors
/// [`SiteFault::WrongHost`].
pub fn check_host(host: Option<&str>, names: &[String]) -> Result<(), SiteFault> {
    let host = host.and_then(host_of).ok_or(SiteFault::WrongHost)?;
    let is_loopback = host
        .parse::<std::net::IpAddr>()
        .is_ok_and(|address| address.is_loopback());
    if is_loopback || host == "localhost" || names.contains(&host) {
        return Ok(());
    }
    Err(SiteFault::WrongHost)
}

/// Checks that a request which changes something was made by the console itself. `fetch_site`,
/// `origin` and `host` are the headers `Sec-Fetch-Site`, `Origin` and `Host`.
///
/// # Errors
/// [`SiteFault::OtherSite`], also where a browser's cookie comes without either header: every
/// browser sends one of them with a change.
pub fn check_site(
    fetch_site: Option<&str>,
    origin: Option<&str>,
    host: Option<&str>,
) -> Result<(), SiteFault> {
    let is_own = match (fetch_site, origin) {
        (Some(site), _) => site == "same-origin" || site == "none",
        (None, Some(origin)) => origin
            .strip_prefix("https://")
            .or_else(|| origin.strip_prefix("http://"))
            .is_some_and(|authority| host.is_some_and(|host| host.eq_ignore_ascii_case(authority))),
        (None, None) => false,
    };
    if is_own {
        Ok(())
    } else {
        Err(SiteFault::OtherSite)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_names() {
        let names = ["egret.bank.example".to_owned(), "192.0.2.7".to_owned()];
        for good in [
            "127.0.0.1:9464",
            "127.8.9.1",
            "[::1]:80",
            "LOCALHOST:9464",
            "egret.bank.example",
            "Egret.Bank.Example.:443",
            "192.0.2.7:9464",
        ] {
            assert_eq!(check_host(Some(good), &names), Ok(()), "{good}");
        }
        for bad in [
            "",
            ":80",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "egret.bank.example:x",
            "[::1",
            "[::2]",
            "egret.bank.example@evil.example",
            "192.0.2.8",
        ] {
            assert_eq!(
                check_host(Some(bad), &names),
                Err(SiteFault::WrongHost),
                "{bad}"
            );
        }
        assert_eq!(check_host(None, &names), Err(SiteFault::WrongHost));
    }

    #[test]
    fn changes_come_from_the_same_origin() {
        let host = Some("egret:9464");
        let site = |fetch, origin| check_site(fetch, origin, host).is_ok();
        assert!(site(Some("same-origin"), None));
        assert!(site(Some("none"), None));
        assert!(site(None, Some("http://egret:9464")));
        for fetch in ["same-site", "cross-site", "", "Same-Origin"] {
            assert!(!site(Some(fetch), Some("http://egret:9464")), "{fetch}");
        }
        for origin in [
            "null",
            "http://egret",
            "http://egret:9465",
            "http://evil:9464",
            "",
        ] {
            assert!(!site(None, Some(origin)), "{origin}");
        }
        assert!(!site(None, None));
    }
}
