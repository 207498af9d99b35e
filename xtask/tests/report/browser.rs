//! A headless Chromium that opens pages and tells what became of them.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The browser of this machine.
pub(crate) struct Browser {
    program: PathBuf,
}

/// A page that was opened.
#[derive(Debug)]
pub(crate) struct Seen {
    /// Its name.
    pub(crate) page: String,
    /// The text of its first heading.
    pub(crate) heading: String,
    /// Rules of its style sheets.
    pub(crate) rules: u32,
    /// The width that it needs, in pixels.
    pub(crate) needs: u32,
}

/// Puts every page into a frame of one width and writes down what it sees there.
const DRIVER: &str = r#"<!doctype html><meta charset="utf-8"><title>driver</title>
<pre id="out"></pre><script>
const out = document.getElementById("out");
function rules(sheet) { try { return sheet.cssRules.length; } catch (e) { return 0; } }
for (const page of PAGES) {
  const frame = document.createElement("iframe");
  frame.style.cssText = "width: WIDTHpx; height: 800px; border: 0";
  frame.onload = () => {
    const d = frame.contentDocument;
    const heading = d.querySelector("h1")?.textContent.trim() ?? "";
    const count = [...d.styleSheets].map(rules).reduce((a, b) => a + b, 0);
    out.append(`seen\t${page}\t${heading}\t${count}\t${d.documentElement.scrollWidth}\n`);
  };
  frame.src = page;
  document.body.append(frame);
}
</script>"#;

impl Browser {
    /// The first that is on the path. Says so where there is none.
    pub(crate) fn find() -> Option<Browser> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let names = ["chromium", "chromium-browser", "google-chrome", "chrome"];
        let places = std::env::split_paths(&path).flat_map(|dir| names.map(|name| dir.join(name)));
        let found = places.into_iter().find(|p| p.is_file());
        if found.is_none() {
            eprintln!("SKIPPED: no browser here; the Debian package chromium is one");
        }
        found.map(|program| Browser { program })
    }

    /// Opens `pages` of `dir`, each in a frame that is `width` pixels wide. Also
    /// everything that the console says.
    pub(crate) fn open(
        &self,
        dir: &Path,
        pages: &[String],
        width: u32,
    ) -> (Vec<Seen>, Vec<String>) {
        let driver = dir.join("driver.html");
        let names = serde_json::to_string(pages).unwrap();
        let text = DRIVER.replace("PAGES", &names).replace("WIDTH", &width.to_string());
        std::fs::write(&driver, text).unwrap();
        let profile = tempfile::tempdir().unwrap();
        let mut c = Command::new(&self.program);
        // Containers allow no sandbox; the pages are our own.
        c.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]);
        c.args(["--no-first-run", "--allow-file-access-from-files", "--hide-scrollbars"]);
        c.args(["--enable-logging=stderr", "--log-level=0", "--dump-dom"]);
        c.arg(format!("--user-data-dir={}", profile.path().display()));
        c.arg(format!("file://{}", driver.display()));
        let output = c.output().unwrap();
        std::fs::remove_file(&driver).unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        let dom = String::from_utf8_lossy(&output.stdout);
        let complaints = errors.lines().filter(|l| l.contains("CONSOLE"));
        (dom.lines().filter_map(seen).collect(), complaints.map(str::to_owned).collect())
    }
}

fn seen(line: &str) -> Option<Seen> {
    let (_, row) = line.split_once("seen\t")?;
    let mut fields = row.split('\t');
    let mut next = || fields.next();
    let (page, heading) = (next()?.to_owned(), next()?.to_owned());
    let (rules, needs) = (next()?.parse().ok()?, next()?.parse().ok()?);
    Some(Seen { page, heading, rules, needs })
}
