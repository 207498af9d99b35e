//! `cargo xtask mutate`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;
use harness::catalogue;
use harness::exec::place;
use harness::qemu::build;
use harness::qemu::build::{Flavour, Spec, patch};
use harness::qemu::source;
use harness::qemu::{Qemu, Side};
use harness::rule_check::mutate;
use harness::{Env, Result};
use svm_model::cases::{self, SEED};
use svm_model::coverage::Coverage;
use svm_model::rules::RuleId;
use svm_model::{Case, Feature};

use crate::base::BaseArgs;
use crate::rules::of_feature;

/// Break each rule in the model in turn: some case must notice
///
/// A rule with two sides has its condition inverted; of one with one side the
/// effect is left out. What notices is a case that came out on patched QEMU as
/// the model says, or an expectation that is written down, and that disagrees
/// with the model once the rule is broken. Exit code 1 where a broken rule goes
/// unnoticed.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// What a broken model must disagree with: patched QEMU and the written
    /// expectations, or only the whole model
    #[arg(long, value_enum, default_value_t = Against::Qemu)]
    against: Against,
    #[command(flatten)]
    base: BaseArgs,
    /// A binary to use as patched instead of building it
    #[arg(long, value_name = "PATH")]
    qemu: Option<PathBuf>,
    /// Only the rules of this feature
    #[arg(long)]
    feature: Option<Feature>,
    /// Also name the case that notices each rule
    #[arg(long)]
    witnesses: bool,
    /// Seed of the random cases
    #[arg(long, default_value_t = SEED)]
    seed: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Against {
    Qemu,
    Model,
}

pub(crate) fn run(env: &Env, args: &Args) -> Result<ExitCode> {
    let cases = cases::all(args.seed);
    Ok(match args.against {
        Against::Qemu => {
            let agreed = agreed(env, args, cases)?;
            let witness = |rule| Some(mutate::witness(rule, &agreed)?.case());
            report(args, &witness, &format!("{} cases that agree", agreed.len()))
        }
        Against::Model => {
            let coverage = Coverage::of(&cases);
            let witness = |rule| coverage.witness(rule, &cases);
            report(args, &witness, &format!("{} cases in the model", cases.len()))
        }
    })
}

/// What patched QEMU and the written expectations agree on with the model.
fn agreed(env: &Env, args: &Args, mut cases: Vec<Case>) -> Result<Vec<mutate::Agreed>> {
    cases.extend(catalogue::all().into_iter().map(|entry| entry.case));
    let mut agreed = mutate::on(&mut place::qemu(env, &patched(env, args)?, "tcg")?, &cases)?;
    agreed.extend(mutate::written(&env.repo)?);
    Ok(agreed)
}

fn patched(env: &Env, args: &Args) -> Result<Qemu> {
    if let Some(path) = &args.qemu {
        return Qemu::inspect(Side::Patched, path);
    }
    let source = source::obtain(env, &args.base.request())?;
    let patches = patch::series(&env.series_dir(&source.major_minor()))?;
    let spec = Spec { source, patches, flavour: Flavour::Release };
    Qemu::built(Side::Patched, &build::build(env, &spec)?)
}

fn report<'a>(args: &Args, witness: &dyn Fn(RuleId) -> Option<&'a Case>, among: &str) -> ExitCode {
    let (mut broken, mut noticed) = (0, 0);
    for (id, rule) in of_feature(args.feature) {
        broken += 1;
        match witness(id) {
            Some(case) => {
                noticed += 1;
                if args.witnesses {
                    println!("{:<38} {}", rule.id, case.id);
                }
            }
            None => println!("{:<38} goes unnoticed", rule.id),
        }
    }
    println!("{broken} rules broken in turn, {noticed} noticed by {among}");
    ExitCode::from(u8::from(noticed < broken))
}
