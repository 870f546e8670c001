//! A dictionary that many can use: an actor behind functions that look like any others.

use actors_core::System;

mod dict {
    use std::collections::HashMap;

    use actors_core::{Actor, CallError, Link, System, actor};

    /// A dictionary; clones are the same one.
    #[derive(Clone)]
    pub(crate) struct Dict(Link<Server>);

    impl Dict {
        pub(crate) fn new(system: &System) -> Self {
            Self(system.spawn(Server::default()))
        }

        pub(crate) async fn insert(&self, key: &str, value: i64) -> Result<Option<i64>, CallError> {
            self.0.call(Insert { key: key.into(), value }).await
        }

        pub(crate) async fn get(&self, key: &str) -> Result<Option<i64>, CallError> {
            self.0.call(Get { key: key.into() }).await
        }

        /// Changes a value where it is: no other change comes between.
        pub(crate) async fn add(&self, key: &str, n: i64) -> Result<i64, CallError> {
            self.0.call(Add { key: key.into(), n }).await
        }
    }

    #[derive(Actor, Default)]
    struct Server {
        values: HashMap<String, i64>,
    }

    #[actor]
    impl Server {
        #[message]
        fn insert(&mut self, key: String, value: i64) -> Option<i64> {
            self.values.insert(key, value)
        }

        #[message]
        fn get(&self, key: String) -> Option<i64> {
            self.values.get(&key).copied()
        }

        #[message]
        fn add(&mut self, key: String, n: i64) -> i64 {
            let value = self.values.entry(key).or_default();
            *value += n;
            *value
        }
    }
}

fn main() -> anyhow::Result<()> {
    let system = System::new();
    let dict = dict::Dict::new(&system);
    system.block_on(async {
        println!("before: {:?}", dict.insert("answer", 41).await?);
        println!("answer: {:?}", dict.get("answer").await?);
        println!("answer + 1: {}", dict.add("answer", 1).await?);
        println!("question: {:?}", dict.get("question").await?);

        let (mut done, threads) = (Vec::new(), 4);
        for _ in 0..threads {
            let (dict, system) = (dict.clone(), system.clone());
            done.push(std::thread::spawn(move || {
                system.block_on(async {
                    for _ in 0..1000 {
                        dict.add("count", 1).await?;
                    }
                    Ok::<_, actors_core::CallError>(())
                })
            }));
        }
        for thread in done {
            thread.join().expect("it only counts")?;
        }
        println!("{threads} threads counted to {:?}", dict.get("count").await?);
        Ok(())
    })
}
