//! The small programs print what they should.

use std::process::Command;

fn printed_by(program: &str) -> String {
    let output = Command::new(program).output().expect("it can be started");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout).expect("it is text")
}

#[test]
fn greet() {
    assert_eq!(printed_by(env!("CARGO_BIN_EXE_greet")), "Hello, World!\nHello, Kermit!\n");
}

#[test]
fn stack() {
    assert_eq!(printed_by(env!("CARGO_BIN_EXE_stack")), "5\n4\n3\n2\n1\nempty\n");
}

#[test]
fn dict_server() {
    let printed = printed_by(env!("CARGO_BIN_EXE_dict_server"));
    let expected = "before: None\n\
                    answer: Some(41)\n\
                    answer + 1: 42\n\
                    question: None\n\
                    4 threads counted to Some(4000)\n";
    assert_eq!(printed, expected);
}

#[test]
fn factorial() {
    let printed = printed_by(env!("CARGO_BIN_EXE_factorial"));
    assert_eq!(printed, "0! = 1\n1! = 1\n5! = 120\n20! = 2432902008176640000\n");
}

#[test]
fn fibonacci() {
    let printed = printed_by(env!("CARGO_BIN_EXE_fibonacci"));
    let numbers: Vec<_> = printed.lines().filter_map(|line| line.split(" = ").nth(1)).collect();
    assert_eq!(numbers, ["0", "1", "1", "55", "6765"]);
}

#[test]
fn table_tennis() {
    let printed = printed_by(env!("CARGO_BIN_EXE_table_tennis"));
    let rally = "1: ping\n2: pong\n3: ping\n4: pong\n5: ping\n6: pong\n7: ping\n";
    assert_eq!(printed, format!("{rally}pong has missed\n"));
}

#[test]
fn producers_consumers() {
    let printed = printed_by(env!("CARGO_BIN_EXE_producers_consumers"));
    let lines: Vec<_> = printed.lines().collect();
    let mut items: Vec<u32> = lines[..30].iter().map(|line| line.parse().unwrap()).collect();
    items.sort_unstable();
    assert_eq!(items, Vec::from_iter(0..30));
    assert_eq!(lines[30..], ["each item was consumed once"]);
}

#[test]
fn dining_philosophers() {
    let printed = printed_by(env!("CARGO_BIN_EXE_dining_philosophers"));
    for name in ["Thales", "Plato", "Hypatia", "Hegel", "Arendt"] {
        assert_eq!(printed.matches(&format!("{name} eats\n")).count(), 3);
        assert_eq!(printed.matches(&format!("{name} has eaten 3 times\n")).count(), 1);
    }
    assert_eq!(printed.lines().count(), 20);
}

#[test]
fn five_ways() {
    let printed = printed_by(env!("CARGO_BIN_EXE_five_ways"));
    let sums: Vec<_> = printed.lines().filter_map(|line| line.split(" = ").nth(1)).collect();
    assert_eq!(sums, ["6"; 6], "{printed}");
    assert_eq!(printed.matches("(crash)").count(), 5, "{printed}");
    assert_eq!(printed.matches("(computed)").count(), 1, "{printed}");
}

#[test]
fn worker_pool() {
    let printed = printed_by(env!("CARGO_BIN_EXE_worker_pool"));
    let lines: Vec<_> = printed.lines().collect();
    for (job, line) in lines[..12].iter().enumerate() {
        match job {
            0 | 1 => assert_eq!(*line, format!("{job} is the square of {job}")),
            4 => assert_eq!(*line, "4 is the square of 2"),
            9 => assert_eq!(*line, "9 is the square of 3"),
            _ => assert!(line.contains(&format!("{job} is no square")), "{line}"),
        }
    }
    assert_eq!(lines[12..], ["8 restarts"]);
}

#[test]
fn supervision_tree() {
    let printed = printed_by(env!("CARGO_BIN_EXE_supervision_tree"));
    let expected = "\
/web (one_for_one, 0 of 3 restarts in 5 s)
├── storage    supervisor  running  incarnation 1  (rest_for_one, 0 of 3 restarts in 5 s)
│   ├── store  worker      running  incarnation 1
│   └── index  worker      running  incarnation 1
└── sessions   supervisor  running  incarnation 1  (one_for_one, 0 of 3 restarts in 5 s)
    ├── alice  worker      running  incarnation 1
    ├── bob    worker      running  incarnation 1
    └── guest  worker      running  incarnation 1

store has failed
bob has failed
guest has failed

/web (one_for_one, 0 of 3 restarts in 5 s)
├── storage    supervisor  running  incarnation 1  (rest_for_one, 1 of 3 restarts in 5 s)
│   ├── store  worker      running  incarnation 2
│   └── index  worker      running  incarnation 2
└── sessions   supervisor  running  incarnation 1  (one_for_one, 1 of 3 restarts in 5 s)
    ├── alice  worker      running  incarnation 1
    └── bob    worker      running  incarnation 2
";
    assert_eq!(printed, expected);
}
