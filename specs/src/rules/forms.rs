//! Forms of text that several rules ask for.

use std::net::IpAddr;

/// Whether the text is a domain name of at least two labels, in lower case, without a final dot
/// (RFC 1035 section 2.3.4 for the lengths).
pub(crate) fn is_domain(text: &str) -> bool {
    text.len() <= 253 && text.contains('.') && text.split('.').all(is_label)
}

/// Whether the text is one label of a domain name, in lower case.
pub(crate) fn is_label(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    (1..=63).contains(&text.len())
        && text.bytes().all(|b| plain(b) || b == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// Whether the text is a name or address that a connection can be made to.
pub(crate) fn is_host(text: &str) -> bool {
    is_domain(text) || is_label(text) || text.parse::<IpAddr>().is_ok()
}

/// Whether the text is an e-mail address as people have them: one `@`, a plain local part, a
/// domain (the lengths of RFC 5321 section 4.5.3).
pub(crate) fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else {
        return false;
    };
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&b);
    (1..=64).contains(&local.len())
        && local.bytes().all(plain)
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && is_domain(&domain.to_ascii_lowercase())
}

/// Whether the text is an https address: a host, perhaps a port, perhaps a path and a query, no
/// user and no fragment.
pub(crate) fn is_https_url(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("https://") else {
        return false;
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    let (host, port) = authority.split_once(':').unwrap_or((authority, "443"));
    is_host(&host.to_ascii_lowercase())
        && port.parse::<u16>().is_ok_and(|port| port > 0)
        && text.len() <= 2000
        && tail
            .bytes()
            .all(|b| b.is_ascii_graphic() && !b"\"<>\\^`{|}#".contains(&b))
}

/// Whether the text is a UUID in its usual form of 8-4-4-4-12 hexadecimal digits.
pub(crate) fn is_uuid(text: &str) -> bool {
    let parts: Vec<_> = text.split('-').collect();
    parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
        && parts
            .iter()
            .all(|part| part.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Whether all characters are letters, digits or one of `more`, and their number lies between.
pub(crate) fn is_plain(text: &str, more: &str, least: usize, most: usize) -> bool {
    (least..=most).contains(&text.len())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || more.contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emails() {
        for good in ["ada@acme.example", "a.b+c@sub.acme.co.uk", "A@Acme.Example"] {
            assert!(is_email(good), "{good}");
        }
        for bad in [
            "",
            "ada",
            "@acme.example",
            "ada@",
            "ada@acme",
            "a@b@c.de",
            ".a@b.cd",
            "a b@c.de",
        ] {
            assert!(!is_email(bad), "{bad}");
        }
    }

    #[test]
    fn addresses() {
        for good in [
            "https://a.example",
            "https://a.example:8443/x?y=1",
            "https://localhost/",
        ] {
            assert!(is_https_url(good), "{good}");
        }
        for bad in [
            "http://a.example",
            "https://",
            "https://a.example:0",
            "https://u:p@a.example",
            "https://a.example/#x",
            "https://a.example/ x",
        ] {
            assert!(!is_https_url(bad), "{bad}");
        }
    }

    #[test]
    fn hosts_domains_and_uuids() {
        assert!(is_domain("a.example") && !is_domain("a") && !is_domain("-a.example"));
        assert!(!is_domain("a..example") && !is_domain("A.example"));
        assert!(is_host("db-1") && is_host("10.0.0.1") && is_host("fd00::1") && !is_host("a:1"));
        assert!(is_uuid("3f1c9a52-7b1e-4c0d-9a54-2f6f2d1b8e10"));
        assert!(!is_uuid("3f1c9a52-7b1e-4c0d-9a54-2f6f2d1b8e1g") && !is_uuid("x"));
    }
}
