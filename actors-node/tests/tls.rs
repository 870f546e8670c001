//! Nodes that show each other certificates, over real sockets, on every host that is there.

use std::{fs, path::Path, time::Duration};

use actors_core::{Actor, Context, Handler, Message, System, host::Host};
use actors_node::{
    CertificateFault, CertificateFiles, HandShakeError, Node, NodeBuilder, NodeError, Refusal,
    Secret, TestAuthority, Tls, TlsError,
};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(30);

struct Echo;

impl Actor for Echo {}

#[derive(Serialize, Deserialize)]
struct Say(#[serde(with = "serde_bytes")] Vec<u8>);

impl Message for Say {
    type Reply = Vec<u8>;
}

impl Handler<Say> for Echo {
    async fn handle(&mut self, Say(bytes): Say, _: &mut Context<Self>) -> Vec<u8> {
        bytes
    }
}

/// What the hosts have in common, with a name for messages.
fn hosts() -> Vec<(&'static str, Host)> {
    vec![
        #[cfg(feature = "async-std")]
        ("async-std", Host::async_std()),
        #[cfg(feature = "smol")]
        ("smol", Host::smol()),
        #[cfg(feature = "tokio")]
        ("tokio", Host::tokio()),
    ]
}

fn tls(files: &CertificateFiles) -> Tls {
    Tls::from_pem_files(&files.authority, &files.certificate, &files.key).unwrap()
}

fn system(host: &Host, name: &str) -> System {
    let system = System::builder().name(name).host(host.clone()).build();
    let echo = system.export::<Echo>("echo").message::<Say>("say");
    echo.constructor(|(): (), _| async { Ok(Echo) });
    system
}

fn node(host: &Host, name: &str, files: &CertificateFiles) -> NodeBuilder {
    Node::builder(&system(host, name)).tls(tls(files))
}

/// What `b` hears when it wants to join `a`.
fn join(host: &Host, a: NodeBuilder, b: NodeBuilder) -> Result<(Node, Node), NodeError> {
    System::builder().host(host.clone()).build().block_on(async {
        let (a, b) = (a.start().await?, b.start().await?);
        let joined = b.join(&a.member().address, PATIENCE).await;
        if joined.is_err() {
            assert!(a.members().is_empty() && b.members().is_empty());
            a.leave();
            b.leave();
        }
        joined.map(|_| (a, b))
    })
}

fn fault(host: &Host, a: NodeBuilder, b: NodeBuilder) -> HandShakeError {
    match join(host, a, b).unwrap_err() {
        NodeError::HandShake { error, .. } => error,
        error => panic!("{error}"),
    }
}

struct World {
    directory: TempDir,
    authority: TestAuthority,
}

impl World {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), authority: TestAuthority::new().unwrap() }
    }

    fn files(&self, name: &str) -> CertificateFiles {
        self.authority.issue(&self.directory, name).unwrap()
    }
}

#[test]
fn nodes_with_certificates_of_one_authority_talk() {
    let world = World::new();
    for (which, host) in hosts() {
        let secret = Secret::new("a secret of the cluster").unwrap();
        let a = node(&host, "a", &world.files("a")).secret(secret.clone());
        let b = node(&host, "b", &world.files("b")).secret(secret);
        let (a, b) = join(&host, a, b).unwrap();
        a.system().block_on(async {
            let echo = a.spawn::<Echo>(b.member().id, "echo", &()).await.unwrap();
            let mut said = vec![0; 3_000_000];
            said.iter_mut().enumerate().for_each(|(n, byte)| *byte = (n % 251) as u8);
            let calls: Vec<_> = (0..8).map(|_| echo.call(Say(said.clone()))).collect();
            for call in calls {
                assert!(call.await.unwrap() == said, "on {which}");
            }
        });
        [a, b].iter().for_each(Node::leave);
    }
}

/// NODE-24: signed by another authority, on either side.
#[test]
fn node_24_certificates_of_another_authority_are_refused() {
    let (world, strangers) = (World::new(), World::new());
    for (which, host) in hosts() {
        // The joiner does not take the certificate of who is there.
        let a = node(&host, "a", &strangers.files("a"));
        let error = fault(&host, a, node(&host, "b", &world.files("b")));
        let unknown = HandShakeError::Certificate(CertificateFault::UnknownAuthority);
        assert_eq!(error, unknown, "on {which}");
        // The joiner trusts it, and is not trusted.
        let (own, stranger) = (world.files("a"), strangers.files("b"));
        let trusting = CertificateFiles { authority: own.authority.clone(), ..stranger };
        let error = fault(&host, node(&host, "a", &own), node(&host, "b", &trusting));
        assert!(matches!(error, HandShakeError::CertificateRefused(_)), "on {which}: {error}");
    }
}

/// NODE-24: a certificate whose time is over, on either side.
#[test]
fn node_24_expired_certificates_are_refused() {
    let world = World::new();
    for (which, host) in hosts() {
        let good = world.files("good");
        let old = world.authority.issue_expired(&world.directory, "old").unwrap();
        let error = fault(&host, node(&host, "old", &old), node(&host, "good", &good));
        let expired = HandShakeError::Certificate(CertificateFault::Expired);
        assert_eq!(error, expired, "on {which}");
        let error = fault(&host, node(&host, "good", &good), node(&host, "old", &old));
        assert!(matches!(error, HandShakeError::CertificateRefused(_)), "on {which}: {error}");
    }
}

/// Said when the node starts, and not when nobody lets it in.
#[test]
fn a_certificate_for_another_name_is_an_error_at_once() {
    let world = World::new();
    let (_, host) = hosts().swap_remove(0);
    let files = world.files("b");
    let start = |name: &str| {
        let builder = node(&host, name, &files);
        system(&host, "x").block_on(builder.start())
    };
    let error = start("a").unwrap_err();
    assert_eq!(error, NodeError::Certificate { name: "a".into() });
    let error = start("no name for a certificate").unwrap_err();
    assert!(matches!(error, NodeError::Certificate { .. }), "{error}");
    start("b").unwrap().leave();
}

#[test]
fn a_plain_node_and_one_with_certificates_tell_each_other_apart() {
    let world = World::new();
    for (which, host) in hosts() {
        let plain = |name| Node::builder(&system(&host, name));
        let error = fault(&host, node(&host, "a", &world.files("a")), plain("b"));
        assert!(matches!(error, HandShakeError::NotANode { .. }), "on {which}: {error}");
        assert!(error.to_string().contains("speaks TLS"), "on {which}: {error}");
        let error = fault(&host, plain("a"), node(&host, "b", &world.files("b")));
        assert!(matches!(error, HandShakeError::Tls(_)), "on {which}: {error}");
    }
}

/// A certificate does not stand for the secret.
#[test]
fn node_24_certificates_and_secret_are_both_needed() {
    let world = World::new();
    let (_, host) = hosts().swap_remove(0);
    let secret = Secret::new("a secret of the cluster").unwrap();
    let a = node(&host, "a", &world.files("a")).secret(secret);
    let error = join(&host, a, node(&host, "b", &world.files("b"))).unwrap_err();
    assert!(matches!(error, NodeError::Refused { refusal: Refusal::WrongSecret, .. }), "{error}");
}

/// Certificates are enough to listen off the loopback interface.
#[test]
fn a_node_with_certificates_may_be_reached_from_everywhere() {
    let world = World::new();
    let (_, host) = hosts().swap_remove(0);
    let open = node(&host, "a", &world.files("a")).listen("0.0.0.0:0").advertise("a.example:1");
    system(&host, "x").block_on(open.start()).unwrap().leave();
}

#[test]
fn unusable_files_are_errors_that_name_them() {
    let world = World::new();
    let (a, b) = (world.files("a"), world.files("b"));
    let with = |authority: &Path, certificate: &Path, key: &Path| {
        Tls::from_pem_files(authority, certificate, key).unwrap_err()
    };
    let file = world.directory.path().join("none");
    let error = with(&file, &a.certificate, &a.key);
    assert!(matches!(&error, TlsError::Read { file: named, .. } if *named == file), "{error}");
    fs::write(&file, "nothing of the kind").unwrap();
    let error = with(&a.authority, &file, &a.key);
    assert_eq!(error, TlsError::NoCertificate { file: file.clone() });
    let error = with(&a.authority, &a.certificate, &file);
    assert_eq!(error, TlsError::NoKey { file: file.clone() });
    let error = with(&a.authority, &a.certificate, &a.certificate);
    assert_eq!(error, TlsError::NoKey { file: a.certificate.clone() });
    fs::write(&file, "-----BEGIN CERTIFICATE-----\n%%%\n-----END CERTIFICATE-----\n").unwrap();
    let error = with(&file, &a.certificate, &a.key);
    assert!(matches!(&error, TlsError::Malformed { file: named, .. } if *named == file), "{error}");
    fs::write(&file, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
    let error = with(&file, &a.certificate, &a.key);
    assert!(matches!(&error, TlsError::Malformed { file: named, .. } if *named == file), "{error}");
    let error = with(&a.authority, &a.certificate, &b.key);
    assert!(matches!(error, TlsError::Unusable { .. }), "{error}");
    assert!(error.to_string().contains("b.key"), "{error}");
}
