//! The header of the PROXY protocol.

use crate::cuts::{Cuts, split};
use net::{Connection, Peer, RoleName};
use std::sync::LazyLock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::{Builder, Runtime};

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_time().build().expect("a runtime"));

/// A header of any bytes: what is read does not depend on how they are cut, and not a byte behind it is taken.
pub fn header(bytes: &[u8]) {
    let ([seed], input) = split::<1>(bytes);
    let input = &input[..input.len().min(4_000)];
    let whole = RUNTIME.block_on(read(&[input]));
    let cut = RUNTIME.block_on(read(&Cuts::new(seed).pieces(input)));
    assert_eq!(whole, cut);
    if let Ok((_, rest)) = &whole {
        assert!(input.ends_with(rest));
        assert!(net::is_proxy_header(input) || input.starts_with(b"PROXY "));
    }
}

/// Whom the header tells of, as text, and what is left; the error as text.
async fn read(pieces: &[&[u8]]) -> Result<(String, Vec<u8>), String> {
    let (mut called, mut caller) =
        Connection::pair(Peer::Pipe { role: RoleName::new("proxy") }, RoleName::new("mx"));
    for piece in pieces {
        caller.write_all(piece).await.map_err(|error| error.to_string())?;
    }
    AsyncWriteExt::shutdown(&mut caller).await.map_err(|error| error.to_string())?;
    let ends = net::proxy_header_read(&mut called).await.map_err(|error| error.to_string())?;
    let mut rest = Vec::new();
    called.read_to_end(&mut rest).await.map_err(|error| error.to_string())?;
    Ok((format!("{ends:?}"), rest))
}
