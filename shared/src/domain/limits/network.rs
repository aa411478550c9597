//! The networks that calls come from, for rate limits.

use std::net::IpAddr;

/// One caller's network: an IPv4 address, or the /64 of an IPv6 address, which belongs to one subscriber.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Network {
    /// An IPv4 address.
    V4([u8; 4]),
    /// The first half of an IPv6 address.
    V6([u8; 8]),
    /// The gateway gave no address: all such calls count as one network.
    Unknown,
}

impl Network {
    /// The network of an address, as the gateway writes it.
    #[must_use]
    pub fn of(address: &str) -> Self {
        match address.parse().map(|address: IpAddr| address.to_canonical()) {
            Ok(IpAddr::V4(address)) => Self::V4(address.octets()),
            Ok(IpAddr::V6(address)) => {
                let [a, b, c, d, e, f, g, h, ..] = address.octets();
                Self::V6([a, b, c, d, e, f, g, h])
            }
            Err(_) => Self::Unknown,
        }
    }

    /// The bytes of the wider network that one customer of a provider may hold: an IPv6 /48, or the IPv4 address.
    #[must_use]
    pub fn wide(&self) -> &[u8] {
        match self {
            Self::V4(bytes) => bytes,
            Self::V6(bytes) => &bytes[..6],
            Self::Unknown => &[],
        }
    }

    /// The bytes that identify the network.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::V4(bytes) => bytes,
            Self::V6(bytes) => bytes,
            Self::Unknown => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_caller_is_counted_by_its_64_prefix() {
        let check = |one: &str, other: &str, same: bool| {
            assert_eq!(Network::of(one) == Network::of(other), same, "{one} {other}");
        };
        check("203.0.113.7", "203.0.113.7", true);
        check("203.0.113.7", "203.0.113.8", false);
        check("203.0.113.7", "::ffff:203.0.113.7", true);
        check("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", true);
        check("2001:DB8:1:2::1", "2001:db8:1:2::2", true);
        check("2001:db8:1:2::1", "2001:db8:1:3::1", false);
        check("", "no address", true);
        check("", "0.0.0.0", false);
    }

    #[test]
    fn networks_are_distinguished_by_their_bytes() {
        for (address, expected) in [
            ("203.0.113.7", &[203, 0, 113, 7][..]),
            ("2001:db8:1:2::1", &[0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 2]),
            ("no address", &[]),
        ] {
            assert_eq!(Network::of(address).as_bytes(), expected, "{address}");
        }
    }

    #[test]
    fn a_wide_network_is_a_48_prefix_or_an_ipv4_address() {
        let check = |one: &str, other: &str, same: bool| {
            let (one, other) = (Network::of(one), Network::of(other));
            assert_eq!(one.wide() == other.wide(), same, "{one:?} {other:?}");
        };
        check("2001:db8:1:2::1", "2001:db8:1:3::1", true);
        check("2001:db8:1::", "2001:db8:1:ffff:ffff:ffff:ffff:ffff", true);
        check("2001:db8:1:2::1", "2001:db8:2:2::1", false);
        check("203.0.113.7", "203.0.113.8", false);
        check("203.0.113.7", "::ffff:203.0.113.7", true);
        check("", "no address", true);
        check("", "0.0.0.0", false);
    }
}
