use std::str::FromStr;

use super::DiscoveryError;

/// Hosts that a list may name.
const MOST: usize = 1 << 16;

/// Host names as SLURM writes them: `gpu[1-3,07],login` (`man scontrol`, *hostlist expressions*).
///
/// A range counts up with as many digits as its first number has. A name may have several brackets; the
/// last one counts fastest.
///
/// ```
/// use actors_node::HostList;
///
/// let hosts: HostList = "rack[1-2]n[08-10],login".parse()?;
/// let names = ["rack1n08", "rack1n09", "rack1n10", "rack2n08", "rack2n09", "rack2n10", "login"];
/// assert_eq!(hosts.names(), names);
/// # Ok::<(), actors_node::DiscoveryError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostList(Vec<String>);

impl HostList {
    /// The names, in order.
    pub fn names(&self) -> &[String] {
        &self.0
    }
}

impl FromStr for HostList {
    type Err = DiscoveryError;

    /// # Errors
    /// [`DiscoveryError::HostList`] with the place; for more than 65,536 names too.
    fn from_str(list: &str) -> Result<Self, DiscoveryError> {
        let mut reader = Reader { list, at: 0 };
        let mut names = Vec::new();
        loop {
            names.extend(reader.hosts(MOST - names.len())?);
            match reader.next() {
                None => return Ok(Self(names)),
                Some(',') => {}
                Some(_) => return Err(reader.wrong("`,` is expected")),
            }
        }
    }
}

struct Reader<'a> {
    list: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<char> {
        self.list[self.at..].chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn wrong(&self, why: &'static str) -> DiscoveryError {
        DiscoveryError::HostList { list: self.list.to_owned(), at: self.at, why }
    }

    fn while_is(&mut self, is: impl Fn(char) -> bool) -> &'a str {
        let rest = &self.list[self.at..];
        let text = &rest[..rest.find(|c| !is(c)).unwrap_or(rest.len())];
        self.at += text.len();
        text
    }

    /// One name, with all that its brackets make of it; at most so many.
    fn hosts(&mut self, most: usize) -> Result<Vec<String>, DiscoveryError> {
        let mut names = vec![String::new()];
        let start = self.at;
        loop {
            let text = self.while_is(|c| !matches!(c, ',' | '[' | ']'));
            if text.contains(char::is_whitespace) {
                self.at = start;
                return Err(self.wrong("a name has white space in it"));
            }
            names.iter_mut().for_each(|name| name.push_str(text));
            match self.peek() {
                Some('[') => names = self.brackets(&names, most)?,
                Some(']') => return Err(self.wrong("there is no `[` before")),
                _ if self.at == start => return Err(self.wrong("a name is expected")),
                _ if names.len() > most => return Err(self.wrong("it names too many hosts")),
                _ => return Ok(names),
            }
        }
    }

    fn brackets(&mut self, before: &[String], most: usize) -> Result<Vec<String>, DiscoveryError> {
        self.next();
        let mut numbers = Vec::new();
        loop {
            let room = (most / before.len()).saturating_sub(numbers.len());
            self.numbers(room, &mut numbers)?;
            match self.peek() {
                Some(',') => self.next(),
                Some(']') => break self.next(),
                _ => return Err(self.wrong("`]` is expected")),
            };
        }
        .expect("a bracket was seen");
        let with = |name: &String| {
            let name = name.clone();
            numbers.iter().map(move |number| format!("{name}{number}"))
        };
        Ok(before.iter().flat_map(with).collect())
    }

    /// A number, or a range of them.
    fn numbers(&mut self, room: usize, all: &mut Vec<String>) -> Result<(), DiscoveryError> {
        let at = self.at;
        let (digits, first) = self.number()?;
        let last = match self.peek() {
            Some('-') => {
                self.next();
                self.number()?.1
            }
            _ => first,
        };
        let wrong = |why| DiscoveryError::HostList { list: self.list.to_owned(), at, why };
        let count =
            last.checked_sub(first).ok_or_else(|| wrong("the range ends before it begins"))?;
        if count >= room as u64 {
            return Err(wrong("it names too many hosts"));
        }
        all.extend((first..=last).map(|number| format!("{number:0digits$}")));
        Ok(())
    }

    /// How many digits it has, and its value.
    fn number(&mut self) -> Result<(usize, u64), DiscoveryError> {
        let at = self.at;
        let text = self.while_is(|c| c.is_ascii_digit());
        // More digits than a number needs are no name of a host.
        match text.parse() {
            Ok(number) if text.len() <= 20 => Ok((text.len(), number)),
            _ => {
                self.at = at;
                Err(self.wrong("a number is expected"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(list: &str) -> Vec<String> {
        list.parse::<HostList>().unwrap().0
    }

    fn wrong(list: &str) -> (usize, &'static str) {
        match list.parse::<HostList>().unwrap_err() {
            DiscoveryError::HostList { at, why, list: named } if named == list => (at, why),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn names_and_ranges_are_told_in_order() {
        assert_eq!(names("a"), ["a"]);
        assert_eq!(names("a,b.example.org"), ["a", "b.example.org"]);
        assert_eq!(names("n[1,3-5]"), ["n1", "n3", "n4", "n5"]);
        assert_eq!(names("n[008-011]-ib"), ["n008-ib", "n009-ib", "n010-ib", "n011-ib"]);
        assert_eq!(names("n[9-10]"), ["n9", "n10"]);
        assert_eq!(names("[7]"), ["7"]);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        assert_eq!(wrong(""), (0, "a name is expected"));
        assert_eq!(wrong("a,"), (2, "a name is expected"));
        assert_eq!(wrong("a,,b"), (2, "a name is expected"));
        assert_eq!(wrong("a]"), (1, "there is no `[` before"));
        assert_eq!(wrong("a[1-3"), (5, "`]` is expected"));
        assert_eq!(wrong("a[1;3]"), (3, "`]` is expected"));
        assert_eq!(wrong("a[]"), (2, "a number is expected"));
        assert_eq!(wrong("a[1-]"), (4, "a number is expected"));
        assert_eq!(wrong("a[99999999999999999999]"), (2, "a number is expected"));
        assert_eq!(wrong("a[3-1]"), (2, "the range ends before it begins"));
        assert_eq!(wrong("a b"), (0, "a name has white space in it"));
    }

    #[test]
    fn a_list_has_an_end() {
        assert_eq!(names("n[1-65536]").len(), MOST);
        assert_eq!(wrong("n[0-65536]"), (2, "it names too many hosts"));
        assert_eq!(wrong("n[0-18446744073709551615]"), (2, "it names too many hosts"));
        assert_eq!(wrong("n[1-1000]m[1-1000]"), (11, "it names too many hosts"));
        assert_eq!(wrong("n[1-65536],a"), (12, "it names too many hosts"));
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(list in "[a-c0-9,\\[\\]\\- ü]{0,24}") {
            let _ = list.parse::<HostList>();
        }

        #[test]
        fn a_range_is_what_it_says(first in 0_u64..500, count in 1_u64..200, digits in 1_usize..6) {
            let list = format!("n[{first:0digits$}-{}]", first + count - 1);
            let wanted: Vec<_> =
                (first..first + count).map(|n| format!("n{n:0digits$}")).collect();
            prop_assert_eq!(names(&list), wanted);
        }
    }
}
