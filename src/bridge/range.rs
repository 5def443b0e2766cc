//! What an address is for, by IANA's registries of special-purpose addresses
//! (RFC 6890, as updated by RFC 8190).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where an address leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Realm {
    /// To anyone's host.
    Public,
    /// Into a network of one's own.
    Private,
    /// To this machine.
    Loopback,
    /// Where no API of a name is: what it is instead.
    Nowhere(&'static str),
}

use Realm::{Loopback, Nowhere, Private, Public};

/// A range, the bits of it that count, and where it leads. The first one that fits counts.
const IPV4: &[(Ipv4Addr, u32, Realm)] = &[
    // Hosts' own services, which hand out credentials, wherever they stand.
    (Ipv4Addr::new(168, 63, 129, 16), 32, Nowhere(METADATA)),
    (Ipv4Addr::new(100, 100, 100, 200), 32, Nowhere(METADATA)),
    (Ipv4Addr::new(169, 254, 169, 254), 32, Nowhere(METADATA)),
    (Ipv4Addr::UNSPECIFIED, 8, Nowhere("an address of \"this network\" (RFC 791)")),
    (Ipv4Addr::new(10, 0, 0, 0), 8, Private),    // RFC 1918
    (Ipv4Addr::new(100, 64, 0, 0), 10, Private), // RFC 6598, shared by carriers' NAT
    (Ipv4Addr::new(127, 0, 0, 0), 8, Loopback),  // RFC 1122
    (Ipv4Addr::new(169, 254, 0, 0), 16, Nowhere("a link-local address (RFC 3927)")),
    (Ipv4Addr::new(172, 16, 0, 0), 12, Private), // RFC 1918
    (Ipv4Addr::new(192, 0, 0, 9), 32, Public),   // RFC 7723
    (Ipv4Addr::new(192, 0, 0, 10), 32, Public),  // RFC 8155
    (Ipv4Addr::new(192, 0, 0, 0), 24, Nowhere("an address of protocols (RFC 6890)")),
    (Ipv4Addr::new(192, 0, 2, 0), 24, Nowhere(EXAMPLE_4)),
    (Ipv4Addr::new(192, 88, 99, 0), 24, Nowhere("a 6to4 relay's address (RFC 7526)")),
    (Ipv4Addr::new(192, 168, 0, 0), 16, Private), // RFC 1918
    (Ipv4Addr::new(198, 18, 0, 0), 15, Private),  // RFC 2544, for benchmarks
    (Ipv4Addr::new(198, 51, 100, 0), 24, Nowhere(EXAMPLE_4)),
    (Ipv4Addr::new(203, 0, 113, 0), 24, Nowhere(EXAMPLE_4)),
    (Ipv4Addr::new(224, 0, 0, 0), 4, Nowhere("a multicast address (RFC 5771)")),
    (Ipv4Addr::BROADCAST, 32, Nowhere("the broadcast address (RFC 919)")),
    (Ipv4Addr::new(240, 0, 0, 0), 4, Nowhere("a reserved address (RFC 1112)")),
];

const METADATA: &str = "the address of a cloud's metadata";
const EXAMPLE_4: &str = "an address for examples (RFC 5737)";
const EXAMPLE_6: &str = "an address for examples (RFC 3849, RFC 9637)";

/// The same for IPv6. What is in none of them is not allocated (RFC 4291 §2.4).
const IPV6: &[(Ipv6Addr, u32, Realm)] = &[
    (Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), 128, Nowhere(METADATA)),
    (Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254), 128, Nowhere(METADATA)),
    (Ipv6Addr::UNSPECIFIED, 128, Nowhere("the unspecified address (RFC 4291)")),
    (Ipv6Addr::LOCALHOST, 128, Loopback),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32, Nowhere("a Teredo address (RFC 4380)")),
    (
        Ipv6Addr::new(0x2001, 2, 0, 0, 0, 0, 0, 0),
        48,
        Nowhere("an address for benchmarks (RFC 5180)"),
    ),
    (Ipv6Addr::new(0x2001, 0x10, 0, 0, 0, 0, 0, 0), 28, Nowhere("an ORCHID (RFC 4843)")),
    (Ipv6Addr::new(0x2001, 0x20, 0, 0, 0, 0, 0, 0), 28, Nowhere("an ORCHID (RFC 7343)")),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, Nowhere(EXAMPLE_6)),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, Nowhere(EXAMPLE_6)),
    (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3, Public),
    (Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0), 64, Nowhere("an address that discards (RFC 6666)")),
    (Ipv6Addr::new(0x5f00, 0, 0, 0, 0, 0, 0, 0), 16, Nowhere("a segment's identifier (RFC 9602)")),
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, Private), // RFC 4193
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, Nowhere("a link-local address (RFC 4291)")),
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10, Nowhere("a site-local address (RFC 3879)")),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, Nowhere("a multicast address (RFC 4291)")),
];

/// Where an address leads. An IPv6 address that stands for an IPv4 one leads where that does.
pub(super) fn realm(address: IpAddr) -> Realm {
    match address {
        IpAddr::V4(address) => of_v4(address),
        IpAddr::V6(address) => match inner(address) {
            Some(inner) => of_v4(inner),
            None => of_v6(address),
        },
    }
}

fn of_v4(address: Ipv4Addr) -> Realm {
    let bits = address.to_bits();
    let within = |start: Ipv4Addr, count: u32| (start.to_bits() ^ bits) >> (32 - count) == 0;
    let found = IPV4.iter().find(|(start, count, _)| within(*start, *count));
    found.map_or(Public, |(_, _, realm)| *realm)
}

fn of_v6(address: Ipv6Addr) -> Realm {
    let bits = address.to_bits();
    let within = |start: Ipv6Addr, count: u32| (start.to_bits() ^ bits) >> (128 - count) == 0;
    let found = IPV6.iter().find(|(start, count, _)| within(*start, *count));
    found.map_or(Nowhere("an address that is not allocated (RFC 4291)"), |(_, _, realm)| *realm)
}

/// The IPv4 address inside: mapped (RFC 4291 §2.5.5.2), translated by NAT64 (RFC 6052 §2.1), or
/// behind 6to4 (RFC 3056 §2).
fn inner(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let last = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            Some(last(high, low))
        }
        [0x2002, high, low, ..] => Some(last(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_an_address_leads_is_a_table() {
        let nowhere = "nowhere";
        // The first and the last address of each range of IANA's registries, and what is beside.
        for (address, expected) in [
            ("0.0.0.0", nowhere),
            ("0.255.255.255", nowhere),
            ("1.1.1.1", "public"),
            ("9.255.255.255", "public"),
            ("10.0.0.0", "private"),
            ("10.255.255.255", "private"),
            ("11.0.0.0", "public"),
            ("100.63.255.255", "public"),
            ("100.64.0.0", "private"),
            ("100.127.255.255", "private"),
            ("100.128.0.0", "public"),
            ("100.100.100.200", nowhere),
            ("126.255.255.255", "public"),
            ("127.0.0.1", "loopback"),
            ("127.255.255.255", "loopback"),
            ("128.0.0.0", "public"),
            ("168.63.129.16", nowhere),
            ("169.253.255.255", "public"),
            ("169.254.0.0", nowhere),
            ("169.254.169.254", nowhere),
            ("169.254.255.255", nowhere),
            ("172.15.255.255", "public"),
            ("172.16.0.0", "private"),
            ("172.31.255.255", "private"),
            ("172.32.0.0", "public"),
            ("192.0.0.0", nowhere),
            ("192.0.0.9", "public"),
            ("192.0.0.10", "public"),
            ("192.0.0.192", nowhere),
            ("192.0.1.0", "public"),
            ("192.0.2.255", nowhere),
            ("192.88.99.1", nowhere),
            ("192.168.0.0", "private"),
            ("192.168.255.255", "private"),
            ("192.169.0.0", "public"),
            ("198.17.255.255", "public"),
            ("198.18.0.0", "private"),
            ("198.19.255.255", "private"),
            ("198.51.100.7", nowhere),
            ("203.0.113.255", nowhere),
            ("223.255.255.255", "public"),
            ("224.0.0.1", nowhere),
            ("239.255.255.255", nowhere),
            ("240.0.0.0", nowhere),
            ("255.255.255.255", nowhere),
            ("::", nowhere),
            ("::1", "loopback"),
            ("::2", nowhere),
            ("::127.0.0.1", nowhere),
            ("::ffff:127.0.0.1", "loopback"),
            ("::ffff:10.0.0.1", "private"),
            ("::ffff:169.254.169.254", nowhere),
            ("::ffff:8.8.8.8", "public"),
            ("64:ff9b::10.0.0.1", "private"),
            ("64:ff9b::169.254.169.254", nowhere),
            ("64:ff9b::8.8.8.8", "public"),
            ("64:ff9b:1::1", nowhere),
            ("100::1", nowhere),
            ("2001::1", nowhere),
            ("2001:2::1", nowhere),
            ("2001:10::1", nowhere),
            ("2001:20::1", nowhere),
            ("2001:db8::1", nowhere),
            ("2001:4860:4860::8888", "public"),
            ("2002:7f00:1::", "loopback"),
            ("2002:a9fe:a9fe::1", nowhere),
            ("2002:808:808::1", "public"),
            ("3fff::1", nowhere),
            ("3fff:fff:ffff::1", nowhere),
            ("3fff:1000::1", "public"),
            ("4000::1", nowhere),
            ("5f00::1", nowhere),
            ("fc00::1", "private"),
            ("fdff:ffff::1", "private"),
            ("fd00:ec2::254", nowhere),
            ("fd20:ce::254", nowhere),
            ("fe80::1", nowhere),
            ("febf::1", nowhere),
            ("fec0::1", nowhere),
            ("ff02::1", nowhere),
        ] {
            let found = match realm(address.parse().expect("an address")) {
                Public => "public",
                Private => "private",
                Loopback => "loopback",
                Nowhere(_) => nowhere,
            };
            assert_eq!(found, expected, "{address}");
        }
    }
}
