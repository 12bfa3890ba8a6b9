//! The HTTP client of all that Clockwork asks over the network: models, webhooks, and checks.

use std::io;

use reqwest::{ClientBuilder, Url, redirect};

use crate::VERSION;

/// A builder of clients for one server.
///
/// No proxy stands between Clockwork and a server on this machine. The machine's certificates are loaded
/// only if the server needs them: that takes time, and fails on a machine that has none.
pub(crate) fn client(url: &Url, redirects: redirect::Policy) -> ClientBuilder {
    // An error means that a provider is already installed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder =
        reqwest::Client::builder().user_agent(format!("clockwork/{VERSION}")).redirect(redirects);
    if is_loopback(url) {
        builder = builder.no_proxy();
    }
    if url.scheme() == "http" {
        builder = builder.tls_certs_only([]);
    }
    builder
}

/// Tells whether a server is on this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || host.ends_with(".localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// The host of a URL, with the port if it has one. It is what messages name a server by, because the rest
/// of the URL may be as good as a password.
pub(crate) fn host(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}{port}", url.host_str().unwrap_or_default())
}

/// The innermost cause of an error. The outer ones repeat the URL and say little.
pub(crate) fn innermost(error: &reqwest::Error) -> &(dyn std::error::Error + 'static) {
    let mut innermost: &(dyn std::error::Error + 'static) = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost
}

/// The cause of an error, without the URL.
pub(crate) fn cause(error: &reqwest::Error, host: &str) -> String {
    let innermost = innermost(error);
    match innermost.downcast_ref::<io::Error>() {
        Some(error) => connection_failure(error, host),
        // An error without a cause repeats the URL itself.
        None if error.url().is_some() && std::error::Error::source(error).is_none() => {
            "it is not answered as HTTP is".to_owned()
        }
        None => innermost.to_string(),
    }
}

/// The reason why there is no connection to a host.
pub(crate) fn connection_failure(error: &io::Error, host: &str) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "nothing listens there (connection refused)".to_owned(),
        io::ErrorKind::ConnectionReset => "the connection was reset".to_owned(),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            format!("there is no way to {host}")
        }
        _ if error.to_string().contains("lookup address") => format!("there is no host called {host}"),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_this_machine() {
        let is_loopback = |url: &str| is_loopback(&Url::parse(url).unwrap());
        for url in [
            "http://localhost:1/v1",
            "http://a.localhost",
            "http://127.0.0.1/v1",
            "http://127.9.9.9",
            "http://[::1]:8080",
        ] {
            assert!(is_loopback(url), "{url}");
        }
        for url in [
            "https://openrouter.ai/api/v1",
            "http://localhost.example.org",
            "http://192.168.0.1",
            "http://[2001:db8::1]",
        ] {
            assert!(!is_loopback(url), "{url}");
        }
    }
}
