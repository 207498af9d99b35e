//! The names in a unit's own table of tests, read from its C source.

/// Tests of the largest table; a larger one is none.
const MOST_TESTS: usize = 5000;

/// The names in the first `struct KIND …[] = { … }` of `source`, in order;
/// spaces become underscores, as in the guest's own filter. None without a
/// table.
pub fn names(source: &str, kind: &str) -> Option<Vec<String>> {
    let source = without_comments(source);
    let start = table_start(&source, kind)?;
    let mut names = Vec::new();
    let mut depth = 0_u32;
    let mut entry = String::new();
    let mut in_string = false;
    for c in source[start..].chars() {
        match c {
            '"' => in_string = !in_string,
            '{' | '(' if !in_string => depth += 1,
            '}' if !in_string && depth == 0 => {
                names.extend(name(&entry));
                return Some(names);
            }
            '}' | ')' if !in_string => depth = depth.saturating_sub(1),
            ',' if !in_string && depth == 0 => {
                names.extend(name(&entry));
                if names.len() > MOST_TESTS {
                    return None;
                }
                entry.clear();
                continue;
            }
            _ => {}
        }
        entry.push(c);
    }
    None
}

/// Just behind the brace that opens the table.
fn table_start(source: &str, wanted: &str) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = source[from..].find("struct ") {
        let rest = &source[from + at + "struct ".len()..];
        from = source.len() - rest.len();
        let open = rest.find('{')?;
        let words: Vec<&str> = rest[..open].split_whitespace().collect();
        let [kind, array, "="] = words[..] else { continue };
        if kind == wanted && array.ends_with("[]") {
            return Some(from + open + 1);
        }
    }
    None
}

/// `{ "name", … }` or `MACRO(name, …)`; none for the `{ NULL }` at the end.
fn name(entry: &str) -> Option<String> {
    let entry = entry.trim();
    let name = match entry.strip_prefix('{') {
        Some(fields) => fields.trim().strip_prefix('"')?.split('"').next()?,
        None => entry.split_once('(')?.1.split([',', ')']).next()?.trim().trim_matches('"'),
    };
    Some(name.replace(' ', "_")).filter(|n| !n.is_empty())
}

fn without_comments(source: &str) -> String {
    let mut text = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(at) = rest.find("/*").into_iter().chain(rest.find("//")).min() {
        text.push_str(&rest[..at]);
        let close = if rest[at..].starts_with("/*") { "*/" } else { "\n" };
        let end = rest[at + 2..].find(close).map(|e| at + 2 + e);
        rest = match end {
            Some(end) if close == "\n" => &rest[end..],
            Some(end) => &rest[end + 2..],
            None => "",
        };
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_all_forms_are_read_in_order() {
        let source = r#"
            struct svm_test { const char *name; };
            static struct svm_other_test others[] = { T(zero) };
            #define T(name) { #name, .v2 = name }
            static struct svm_test all_tests[] = {
                { "two words", f(1, 2), g },
                // { "left out", f, g },
                T(three), /* T(also_out), */
                V1(four, prepare, null,
                   .supported = f),
                { "five, with a comma", f },
                { NULL, NULL },
            };
            struct svm_test later_tests[] = { T(six) };
        "#;
        let expected = ["two_words", "three", "four", "five,_with_a_comma"];
        assert_eq!(names(source, "svm_test").unwrap(), expected);
    }

    #[test]
    fn a_source_without_a_table_has_no_names() {
        assert_eq!(names("int main(void) { return 0; }", "svm_test"), None);
        assert_eq!(names("struct svm_test { int a; }; struct svm_test *x;", "svm_test"), None);
        assert_eq!(names("struct svm_test t[] = { { \"cut", "svm_test"), None);
    }
}
