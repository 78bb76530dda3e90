//! The PROXY protocol, versions 1 and 2: whom a proxy in front of us has a connection from.
//!
//! Defined by HAProxy's `proxy-protocol.txt`, 2 (headers of version 1 and 2). Read is TCP over IPv4 and IPv6; version
//! 2's extensions (TLV) are passed over. A header that says nothing of a client (`UNKNOWN`, `LOCAL`), as proxies send
//! it when they look after our health, leaves the connection the proxy's own.

use crate::{Connection, NetError};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

/// What a header of version 2 begins with.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// The longest line of version 1, with its CRLF.
const LINE_BYTES_MAX: usize = 107;
/// Bytes of version 2 in front of the addresses.
const FIXED_BYTES: usize = 16;

/// Whether what somebody has sent first is meant as a PROXY header.
pub fn is_proxy_header(input: &[u8]) -> bool {
    let is_line = || {
        let protocol = input.strip_prefix(b"PROXY ");
        protocol.is_some_and(|rest| [&b"TCP"[..], b"UNKNOWN"].iter().any(|name| rest.starts_with(name)))
    };
    input.starts_with(SIGNATURE) || is_line()
}

/// Where a connection comes from and where it was made to.
pub type Ends = (SocketAddr, SocketAddr);

/// Takes the header off a connection that has just begun, and not a byte more; none where it names no client.
///
/// # Errors
/// [`NetError::ProxyHeader`] for anything else, [`NetError::Timeout`] where it is late.
pub async fn read(connection: &mut Connection) -> Result<Option<Ends>, NetError> {
    let header = async {
        let mut start = [0; SIGNATURE.len()];
        connection.read_exact(&mut start).await?;
        if start == *SIGNATURE { binary(connection).await } else { line(connection, &start).await }
    };
    timeout(limits::PROXY_HEADER_TIME_MAX, header)
        .await
        .map_err(|_| NetError::Timeout("waiting for a PROXY header"))?
}

/// The shortest line of version 1 is longer than its start that was read already, so the rest comes byte by byte.
async fn line(connection: &mut Connection, start: &[u8]) -> Result<Option<Ends>, NetError> {
    if !start.starts_with(b"PROXY ") {
        return Err(NetError::ProxyHeader("what came is none"));
    }
    let mut line = start.to_vec();
    while !line.ends_with(b"\r\n") {
        if line.len() == LINE_BYTES_MAX {
            return Err(NetError::ProxyHeader("the line is too long"));
        }
        line.push(connection.read_u8().await?);
    }
    parse_line(&line).ok_or(NetError::ProxyHeader("the line is malformed"))
}

// "PROXY" SP ( "TCP4" / "TCP6" ) SP source SP destination SP source-port SP destination-port CRLF (2.1)
fn parse_line(line: &[u8]) -> Option<Option<Ends>> {
    let text = std::str::from_utf8(line).ok()?.strip_suffix("\r\n")?;
    let words: Vec<&str> = text.split(' ').collect();
    match words.as_slice() {
        ["PROXY", "UNKNOWN", ..] => Some(None),
        ["PROXY", family, source, destination, source_port, destination_port] => {
            let ends =
                (address(family, source, source_port)?, address(family, destination, destination_port)?);
            Some(Some(ends))
        }
        _ => None,
    }
}

fn address(family: &str, ip: &str, port: &str) -> Option<SocketAddr> {
    let ip = match family {
        "TCP4" => IpAddr::V4(ip.parse::<Ipv4Addr>().ok()?),
        "TCP6" => IpAddr::V6(ip.parse::<Ipv6Addr>().ok()?),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port.parse().ok()?))
}

/// The rest of a header of version 2: four bytes, and as many as the last two of them say.
async fn binary(connection: &mut Connection) -> Result<Option<Ends>, NetError> {
    let mut fixed = [0; FIXED_BYTES - SIGNATURE.len()];
    connection.read_exact(&mut fixed).await?;
    let [version_command, family, high, low] = fixed;
    let bytes = usize::from(u16::from_be_bytes([high, low]));
    if FIXED_BYTES + bytes > limits::PROXY_HEADER_BYTES_MAX {
        return Err(NetError::ProxyHeader("it is too long"));
    }
    let mut rest = vec![0; bytes];
    connection.read_exact(&mut rest).await?;
    parse_binary(version_command, family, &rest)
}

/// Version and command, 0x20 LOCAL or 0x21 PROXY; family and transport, 0x11 and 0x21 for TCP over IPv4 and IPv6 (2.2).
fn parse_binary(version_command: u8, family: u8, rest: &[u8]) -> Result<Option<Ends>, NetError> {
    let malformed = NetError::ProxyHeader("the addresses are cut short");
    match (version_command, family) {
        (0x20, _) | (0x21, 0x00) => Ok(None),
        (0x21, 0x11) => ends::<4>(rest).map(Some).ok_or(malformed),
        (0x21, 0x21) => ends::<16>(rest).map(Some).ok_or(malformed),
        (0x21, _) => Err(NetError::ProxyHeader("the client did not come by TCP")),
        _ => Err(NetError::ProxyHeader("the version or the command is not known")),
    }
}

/// Two addresses of `N` bytes, then their ports.
fn ends<const N: usize>(bytes: &[u8]) -> Option<Ends>
where
    IpAddr: From<[u8; N]>,
{
    let (source, rest) = bytes.split_first_chunk::<N>()?;
    let (destination, rest) = rest.split_first_chunk::<N>()?;
    let ([source_port, destination_port], _) = rest.as_chunks::<2>().0.split_first_chunk::<2>()?;
    let end = |ip: [u8; N], port: [u8; 2]| SocketAddr::new(ip.into(), u16::from_be_bytes(port));
    Some((end(*source, *source_port), end(*destination, *destination_port)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends_of(source: &str, destination: &str) -> Option<Ends> {
        Some((source.parse().unwrap(), destination.parse().unwrap()))
    }

    #[test]
    fn lines_tell_of_both_ends() {
        let v4 = parse_line(b"PROXY TCP4 192.0.2.1 192.0.2.2 4000 25\r\n");
        assert_eq!(v4, Some(ends_of("192.0.2.1:4000", "192.0.2.2:25")));
        let v6 = parse_line(b"PROXY TCP6 2001:db8::1 2001:db8::2 4000 25\r\n");
        assert_eq!(v6, Some(ends_of("[2001:db8::1]:4000", "[2001:db8::2]:25")));
        assert_eq!(parse_line(b"PROXY UNKNOWN\r\n"), Some(None));
        assert_eq!(parse_line(b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n"), Some(None));
    }

    #[test]
    fn malformed_lines_are_refused() {
        for line in [
            &b"PROXY TCP4 192.0.2.1 192.0.2.2 4000\r\n"[..],
            b"PROXY TCP4 ::1 ::2 1 2\r\n",
            b"PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
            b"PROXY TCP4 192.0.2.1 192.0.2.2 65536 25\r\n",
            b"PROXY TCP4  192.0.2.1 192.0.2.2 1 25\r\n",
            b"PROXY UDP4 192.0.2.1 192.0.2.2 1 25\r\n",
            b"PROXY\r\n",
        ] {
            assert_eq!(parse_line(line), None, "{}", line.escape_ascii());
        }
    }

    #[test]
    fn binary_headers_tell_of_both_ends_and_extensions_are_passed_over() {
        let mut rest = vec![192, 0, 2, 1, 192, 0, 2, 2, 0x0f, 0xa0, 0, 25];
        let expected = ends_of("192.0.2.1:4000", "192.0.2.2:25");
        assert_eq!(parse_binary(0x21, 0x11, &rest).unwrap(), expected);
        rest.extend([0x04, 0, 1, 7]);
        assert_eq!(parse_binary(0x21, 0x11, &rest).unwrap(), expected);
        assert_eq!(parse_binary(0x20, 0x11, &[]).unwrap(), None);
        assert_eq!(parse_binary(0x21, 0x00, &[1, 2]).unwrap(), None);
    }

    #[test]
    fn binary_headers_that_say_something_else_are_refused() {
        for (version_command, family, rest) in
            [(0x21, 0x11, 11), (0x21, 0x21, 35), (0x21, 0x12, 12), (0x11, 0x11, 12), (0x22, 0x11, 12)]
        {
            assert!(parse_binary(version_command, family, &vec![0; rest]).is_err());
        }
    }

    #[test]
    fn a_header_is_known_by_its_start() {
        assert!(is_proxy_header(b"PROXY TCP4 1.2.3.4") && is_proxy_header(b"\r\n\r\n\0\r\nQUIT\n!"));
        assert!(
            !is_proxy_header(b"PROXY me\r\n") && !is_proxy_header(b"EHLO proxy\r\n") && !is_proxy_header(b"")
        );
    }
}
