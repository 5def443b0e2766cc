//! From a host's name to addresses that may be connected to.
//!
//! A name that the configuration gives may lead to a public host or to one of one's own, and it
//! must stay at that: whoever answers for the name could otherwise send a request, with its
//! credentials, to this machine or into its network (DNS rebinding). So
//!
//! - a name leads to no link-local, multicast, reserved or metadata address, whatever it is
//!   called: such a host is named by its address, or not at all;
//! - of addresses of several realms in one answer the public ones alone count;
//! - the realms of a name's first answer are the only ones that it has until a reload.
//!
//! What is connected to is what was checked here: the connection is made from the addresses that
//! this returns, and the name is not asked for again. A host that is an address never comes here:
//! it stands in the configuration as it is.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::{Resolver, TokioResolver};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::range::{Realm, realm};

/// How long one question to a name server takes at most, of two.
const QUESTION: Duration = Duration::from_secs(2);

/// Who is asked for addresses.
#[derive(Clone)]
enum Asked {
    /// The system, as every other program does.
    System,
    /// One name server, and nothing beside it: no hosts file, no search list, no cache.
    Server(Arc<TokioResolver>),
}

/// Resolves names for one upstream.
#[derive(Clone)]
pub(super) struct Guard {
    asked: Asked,
    realms: Arc<Mutex<HashMap<String, BTreeSet<Realm>>>>,
}

/// A name that leads to where it may not: why, as the end of a sentence that names the API.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Misled(pub(super) String);

/// What the HTTP library takes for an error.
type Failed = Box<dyn std::error::Error + Send + Sync>;

/// A name server that gave no address.
#[derive(Debug, thiserror::Error)]
#[error("no address")]
struct NoAddress;

impl Guard {
    /// A guard that asks the system, or that name server. The error says in words what is wrong.
    pub(super) fn new(server: Option<SocketAddr>) -> Result<Self, String> {
        let asked = match server {
            None => Asked::System,
            Some(server) => Asked::Server(Arc::new(resolver(server)?)),
        };
        Ok(Self { asked, realms: Arc::default() })
    }

    /// Judges where a name leads that somebody else resolves: a proxy. Of what cannot be told here
    /// nothing is said: the name stands in the configuration, and may be known to the proxy alone.
    pub(super) async fn judge(&self, name: &str) -> Result<(), Misled> {
        match self.addresses(name).await {
            Ok(_) => Ok(()),
            Err(error) => error.downcast::<Misled>().map_or(Ok(()), |misled| Err(*misled)),
        }
    }

    async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, Failed> {
        let found: Vec<IpAddr> = match &self.asked {
            Asked::System => {
                tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect()
            }
            Asked::Server(resolver) => {
                // A name without its last dot is looked for as it is, too: no list is searched.
                let found = resolver.lookup_ip(name).await.map_err(|_| NoAddress)?;
                found.iter().collect()
            }
        };
        let mut realms = self.realms.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(admitted(name, &found, realms.entry(name.to_owned()).or_default())?)
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let addresses = guard.addresses(name.as_str()).await?;
            let addresses = addresses.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(addresses) as Addrs)
        })
    }
}

/// The addresses of a name that may be connected to; `known` are the realms that it had before,
/// none at its first answer.
fn admitted(
    name: &str,
    found: &[IpAddr],
    known: &mut BTreeSet<Realm>,
) -> Result<Vec<IpAddr>, Misled> {
    let with_realm: Vec<(IpAddr, Realm)> =
        found.iter().map(|address| (*address, realm(*address))).collect();
    let somewhere: Vec<(IpAddr, Realm)> = with_realm
        .iter()
        .copied()
        .filter(|(_, realm)| !matches!(realm, Realm::Nowhere(_)))
        .collect();
    let Some((first, _)) = somewhere.first() else {
        return Err(Misled(match with_realm.first() {
            Some((address, Realm::Nowhere(what))) => format!(
                "its host name leads to {address}, {what}; if that is meant, name the address \
                 itself"
            ),
            _ => format!("the name {name} has no address"),
        }));
    };
    let public = somewhere.iter().any(|(_, realm)| *realm == Realm::Public);
    let wanted = |realm: Realm| !public || realm == Realm::Public;
    if known.is_empty() {
        known.extend(somewhere.iter().map(|(_, realm)| *realm).filter(|realm| wanted(*realm)));
    }
    let admitted: Vec<IpAddr> = somewhere
        .iter()
        .filter(|(_, realm)| known.contains(realm))
        .map(|(address, _)| *address)
        .collect();
    if admitted.is_empty() {
        return Err(Misled(format!(
            "its host name now leads to {first}, into another network than before; if that is \
             meant, reload the configuration"
        )));
    }
    Ok(admitted)
}

fn resolver(server: SocketAddr) -> Result<TokioResolver, String> {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = server.port();
        connection
    });
    let server = NameServerConfig::new(server.ip(), true, connections.to_vec());
    let config = ResolverConfig::from_name_servers(vec![server]);
    let mut builder = Resolver::builder_with_config(config, TokioRuntimeProvider::default());
    let options: &mut ResolverOpts = builder.options_mut();
    options.cache_size = 0;
    options.timeout = QUESTION;
    options.attempts = 1;
    options.use_hosts_file = ResolveHosts::Never;
    builder.build().map_err(|error| format!("no resolver: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().expect("an address")).collect()
    }

    #[test]
    fn a_name_keeps_to_the_realms_that_it_had_at_first() {
        // (first answer, second answer, what of the second is connected to; none is a refusal)
        for (first, second, expected) in [
            (&["8.8.8.8"][..], &["8.8.4.4"][..], &["8.8.4.4"][..]),
            (&["8.8.8.8"], &["127.0.0.1"], &[]),
            (&["8.8.8.8"], &["::ffff:10.0.0.1"], &[]),
            (&["8.8.8.8"], &["10.0.0.1", "8.8.4.4"], &["8.8.4.4"]),
            (&["8.8.8.8", "10.0.0.1"], &["10.0.0.1"], &[]),
            (&["10.0.0.1"], &["192.168.7.7", "fc00::1"], &["192.168.7.7", "fc00::1"]),
            (&["10.0.0.1"], &["127.0.0.1"], &[]),
            (&["10.0.0.1"], &["8.8.8.8"], &[]),
            (&["127.0.0.1", "::1"], &["::1"], &["::1"]),
            (&["127.0.0.1"], &["169.254.169.254"], &[]),
            (&["127.0.0.1"], &["169.254.1.1", "127.0.0.1"], &["127.0.0.1"]),
        ] {
            let mut known = BTreeSet::new();
            assert!(admitted("h", &all(first), &mut known).is_ok(), "{first:?}");
            let found = admitted("h", &all(second), &mut known).unwrap_or_default();
            assert_eq!(found, all(expected), "{first:?}, then {second:?}");
        }
    }

    #[test]
    fn no_name_leads_to_an_address_that_is_for_something_else() {
        for address in ["169.254.169.254", "fe80::1", "224.0.0.1", "0.0.0.0", "::", "fd00:ec2::254"]
        {
            let mut known = BTreeSet::new();
            let misled = admitted("h", &all(&[address]), &mut known).expect_err(address);
            assert!(misled.0.contains(address), "{misled}");
            assert!(known.is_empty());
        }
    }

    #[test]
    fn of_a_mixed_answer_the_public_addresses_count() {
        let mut known = BTreeSet::new();
        let found = admitted("h", &all(&["127.0.0.1", "8.8.8.8"]), &mut known);
        assert_eq!(found, Ok(all(&["8.8.8.8"])));
    }
}
