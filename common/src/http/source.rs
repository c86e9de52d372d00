//! Where a request comes from: its client's address behind the proxies, cut to what limits and the log may know of it.

use std::net::IpAddr;

use axum::http::HeaderMap;
use ipnet::IpNet;

use crate::auth::Source;

/// The source of a request that this peer sent or passed on. 24 bits (IPv4) or 48 (IPv6) show where attacks come from and
/// don't identify a person; 32 or 64 are what one household or server has.
pub(super) fn source(peer: IpAddr, headers: &HeaderMap, trusted_proxies: &[IpNet]) -> Source {
    let client = client(peer, headers, trusted_proxies);
    Source { address: cut(client, 32, 64), network: cut(client, 24, 48) }
}

/// The client's address: the nearest one of `X-Forwarded-For` that isn't a trusted proxy's. What the header has before that
/// may be forged.
fn client(peer: IpAddr, headers: &HeaderMap, trusted_proxies: &[IpNet]) -> IpAddr {
    let mut client = peer.to_canonical();
    let values = headers.get_all("x-forwarded-for").iter().rev();
    let mut hops = values.flat_map(|value| value.to_str().unwrap_or_default().rsplit(','));
    while trusted_proxies.iter().any(|proxies| proxies.contains(&client)) {
        match hops.next().map(|hop| hop.trim().parse::<IpAddr>()) {
            Some(Ok(before)) => client = before.to_canonical(),
            _ => break,
        }
    }
    client
}

/// The first bits of an address.
fn cut(address: IpAddr, bits_of_v4: u8, bits_of_v6: u8) -> IpAddr {
    let bits = if address.is_ipv4() { bits_of_v4 } else { bits_of_v6 };
    IpNet::new(address, bits).map_or(address, |network| network.network())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn addresses_are_cut_to_their_network() {
        assert_eq!(cut(address("203.0.113.77"), 24, 48), address("203.0.113.0"));
        assert_eq!(cut(address("203.0.113.77"), 32, 64), address("203.0.113.77"));
        assert_eq!(cut(address("2001:db8:1:2:3:4:5:6"), 24, 48), address("2001:db8:1::"));
        assert_eq!(cut(address("2001:db8:1:2:3:4:5:6"), 32, 64), address("2001:db8:1:2::"));
    }

    #[test]
    fn only_trusted_proxies_say_who_the_client_is() {
        let proxies: Vec<IpNet> = ["10.0.0.0/8", "192.0.2.1/32"].map(|text| text.parse().unwrap()).into();
        let client_of = |peer: &str, forwarded: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in forwarded {
                headers.append("x-forwarded-for", HeaderValue::from_str(value).unwrap());
            }
            client(address(peer), &headers, &proxies).to_string()
        };
        assert_eq!(client_of("203.0.113.7", &["198.51.100.1"]), "203.0.113.7");
        assert_eq!(client_of("::ffff:10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(client_of("10.0.0.1", &["1.1.1.1, 198.51.100.1 , 192.0.2.1"]), "198.51.100.1");
        assert_eq!(client_of("10.0.0.1", &["1.1.1.1", "198.51.100.1", "10.9.9.9"]), "198.51.100.1");
        assert_eq!(client_of("10.0.0.1", &["1.1.1.1, made up"]), "10.0.0.1");
        assert_eq!(client_of("10.0.0.1", &[]), "10.0.0.1");
    }
}
