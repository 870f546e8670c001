use std::collections::BTreeMap;

use actors_core::{SystemId, sim};

use super::*;
use crate::{
    Member, Membership, Secret,
    hand_shake::{Offer, Us, accept, dial},
    wire::Refusal,
};

/// NODE-24: a node that takes the name of another, with a good certificate for its own.
#[test]
fn node_24_a_name_that_is_not_in_the_certificate_is_refused() {
    for (acceptor, dialler) in [("a", "liar"), ("liar", "b")] {
        // Keys are not drawn from the seed: one run is as good as many.
        sim::simulate(1, |sim| async move {
            let random = sim.node("random").random;
            let directory = tempfile::tempdir().unwrap();
            let authority = TestAuthority::new().unwrap();
            let us = |id: u64, name: &str| {
                let CertificateFiles { authority, certificate, key } =
                    authority.issue(&directory, &format!("node-{id}")).unwrap();
                let name = if name == "liar" { "another" } else { &format!("node-{id}") };
                let (name, address) = (name.to_owned(), String::new());
                Us {
                    cluster: "default".into(),
                    member: Member { id: SystemId(id), name, address, tags: BTreeMap::new() },
                    longest: 1,
                    secret: Secret::none(),
                    tls: Some(Tls::from_pem_files(authority, certificate, key).unwrap()),
                    offer: Offer::ours(Membership::Each, false),
                    random: random.clone(),
                }
            };
            let (a, b) = (us(1, acceptor), us(2, dialler));
            let (host_a, host_b) = (sim.node("a"), sim.node("b"));
            let mut door = host_a.net.listen(":0").await.unwrap();
            let address = door.address();
            let accepted = async { accept(&a, door.accept().await.unwrap()).await.err() };
            let dialled =
                async { dial(&b, host_b.net.connect(&address).await.unwrap()).await.err() };
            let (at_a, at_b) = futures_lite::future::zip(accepted, dialled).await;
            let wrong = CertificateFault::WrongName("another".into());
            let found = Some(HandShakeError::Certificate(wrong));
            if dialler == "liar" {
                let told = Some(HandShakeError::Refused(Refusal::WrongName));
                assert_eq!((at_a, at_b), (found, told));
            } else {
                assert_eq!(at_b, found);
                assert!(at_a.is_some());
            }
        });
    }
}
