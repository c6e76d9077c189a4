//! Networks in CIDR form.

use std::fmt;
use std::net::IpAddr;

/// A network: its address as a number at the left end of 128 bits, and its fixed bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cidr {
    v6: bool,
    bits: u128,
    pub(super) fixed: u32,
}

impl Cidr {
    /// Reads `ADDRESS/BITS`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, fixed) = text.split_once('/')?;
        let (bits, width) = match address.parse().ok()? {
            IpAddr::V4(ip) => (u128::from(ip.to_bits()) << 96, 32),
            IpAddr::V6(ip) => (ip.to_bits(), 128),
        };
        let digits = fixed.bytes().all(|b| b.is_ascii_digit());
        let fixed = fixed
            .parse()
            .ok()
            .filter(|fixed| digits && *fixed <= width)?;
        Some(Self {
            v6: width == 128,
            bits,
            fixed,
        })
    }

    /// The same with all bits after the fixed ones 0.
    pub(super) fn network(self) -> Self {
        let free = u128::MAX.checked_shr(self.fixed).unwrap_or(0);
        Self {
            bits: self.bits & !free,
            ..self
        }
    }

    /// Whether all addresses of the other network are in this one.
    pub(super) fn contains(self, other: Self) -> bool {
        self.v6 == other.v6
            && self.fixed <= other.fixed
            && Self {
                fixed: self.fixed,
                ..other
            }
            .network()
            .bits
                == self.bits
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = if self.v6 {
            IpAddr::from(self.bits.to_be_bytes())
        } else {
            let [a, b, c, d, ..] = self.bits.to_be_bytes();
            IpAddr::from([a, b, c, d])
        };
        write!(f, "{address}/{}", self.fixed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cidr(text: &str) -> Cidr {
        Cidr::parse(text).unwrap()
    }

    #[test]
    fn networks_print_and_parse_back() {
        for text in [
            "0.0.0.0/0",
            "203.0.113.0/24",
            "10.0.0.1/32",
            "2001:db8::/48",
            "::/0",
            "::1/128",
        ] {
            assert_eq!(cidr(text).to_string(), text);
        }
        for text in [
            "",
            "10.0.0.0",
            "10.0.0.0/33",
            "10.0.0/8",
            "::/129",
            "10.0.0.0/+8",
            "10.0.0.0/",
        ] {
            assert!(Cidr::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn free_bits_are_dropped_and_containment_follows_them() {
        assert_eq!(
            cidr("203.0.113.7/24").network().to_string(),
            "203.0.113.0/24"
        );
        assert_eq!(cidr("255.255.255.255/0").network().to_string(), "0.0.0.0/0");
        assert!(cidr("10.0.0.0/8").contains(cidr("10.200.0.0/16")));
        assert!(!cidr("10.200.0.0/16").contains(cidr("10.0.0.0/8")));
        assert!(!cidr("10.0.0.0/8").contains(cidr("11.0.0.0/16")));
        assert!(!cidr("0.0.0.0/0").contains(cidr("::/0")));
    }
}
