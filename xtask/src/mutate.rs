//! `cargo xtask mutate`.

use std::process::ExitCode;
use std::slice;

use harness::exec::name::Name;
use harness::rule_check::mutate;
use harness::{Env, Result};
use svm_model::cases::{self, SEED};
use svm_model::coverage::Coverage;
use svm_model::rules::RuleId;
use svm_model::{Case, Feature};

use crate::executor::{ExecutorArgs, Former};
use crate::rules::of_feature;
use crate::show::line;

/// Break each rule in the model in turn: some case must notice
///
/// A rule with two sides has its condition inverted; of one with one side the
/// effect is left out. What notices is a case that came out on patched QEMU as
/// the model says, or an expectation that is written down, and that disagrees
/// with the model once the rule is broken. Exit code 1 where a broken rule goes
/// unnoticed.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// What a broken model must disagree with: an executor, such as qemu:patched or qemu:PATH, and
    /// the written expectations; or, with model, only the whole model
    #[arg(long, alias = "against", value_name = "EXECUTOR", default_value = "qemu:patched")]
    on: Name,
    #[command(flatten)]
    how: ExecutorArgs,
    #[command(flatten)]
    former: Former,
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

pub(crate) fn run(env: &Env, args: &Args) -> Result<ExitCode> {
    args.former.refuse()?;
    args.how.check(env, slice::from_ref(&args.on))?;
    let cases = cases::all(args.seed);
    if args.on == Name::Model {
        let coverage = Coverage::of(&cases);
        let witness = |rule| coverage.witness(rule, &cases);
        return Ok(report(args, &witness, &format!("{} cases in the model", cases.len())));
    }
    let agreed = mutate::agreed(&mut *args.how.open(env, &args.on)?.executor, &env.repo, cases)?;
    let witness = |rule| Some(mutate::witness(rule, &agreed)?.case());
    Ok(report(args, &witness, &format!("{} cases that agree", agreed.len())))
}

fn report<'a>(args: &Args, witness: &dyn Fn(RuleId) -> Option<&'a Case>, among: &str) -> ExitCode {
    let (mut broken, mut noticed) = (0, 0);
    for (id, rule) in of_feature(args.feature) {
        broken += 1;
        match witness(id) {
            Some(case) => {
                noticed += 1;
                if args.witnesses {
                    line(format_args!("{:<38} {}", rule.id, case.id));
                }
            }
            None => line(format_args!("{:<38} goes unnoticed", rule.id)),
        }
    }
    line(format_args!("{broken} rules broken in turn, {noticed} noticed by {among}"));
    ExitCode::from(u8::from(noticed < broken))
}
