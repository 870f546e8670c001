//! Hillslope diffusion on a real elevation model, on node processes of which some are killed while it
//! runs; the result is that of the failure-free run, bit for bit.

mod cleanup;
mod grid;
mod node;
mod observer;
mod options;
mod picture;
mod report;
mod run;
mod start;
mod stencil;
mod stops;
mod store;
mod strip;

use std::process::ExitCode;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};

use crate::{
    options::{Job, Options, Request},
    report::Report,
};

/// The cluster of nodes that others start.
const CLUSTER: &str = "hillslope";

fn main() -> ExitCode {
    tracing_subscriber::fmt().with_env_filter(logging()).with_writer(std::io::stderr).init();
    let mut arguments = std::env::args_os().peekable();
    let program = arguments.next();
    if arguments.peek().is_some_and(|first| first == "node") {
        return node::main(arguments);
    }
    let request = match Request::parse(program.into_iter().chain(arguments)) {
        Ok(request) => request,
        Err(error) => return fail(&error.into()),
    };
    match request {
        Request::Print(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Request::Run(options) => match head(*options) {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => {
                eprintln!("hillslope: the result differs from the failure-free one");
                ExitCode::FAILURE
            }
            Err(error) => fail(&error),
        },
    }
}

/// Nothing, unless `RUST_LOG` asks for it: the program says by itself what happens.
fn logging() -> tracing_subscriber::EnvFilter {
    tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "off".into())
}

/// One line, and the status for bad input and unrecoverable losses.
fn fail(error: &anyhow::Error) -> ExitCode {
    eprintln!("hillslope: {error:#}");
    ExitCode::from(2)
}

/// Runs a job. False when its result is not the failure-free one.
fn head(options: Options) -> anyhow::Result<bool> {
    let job = match options.resume_dir().map(store::open) {
        Some(saved) => {
            let (settings, input) = saved.context("--resume")?;
            options.resume(settings, input)?
        }
        None => {
            let job = options.begin()?;
            if let Some(dir) = &job.dir {
                store::begin(dir, &job.settings, &job.input).context("--dir")?;
            }
            job
        }
    };
    let finished = run::run(&job)?;
    let mut report = finished.report;
    if job.verify {
        report.identical = Some(same_bits(&verify(&job), &finished.cells));
    }
    write_results(&job, &report, finished.cells)?;
    if !job.quiet {
        println!("{}", report.table());
    }
    Ok(report.identical != Some(false))
}

/// The failure-free result, computed serially by a loop of its own.
fn verify(job: &Job) -> Vec<f64> {
    let bar = if job.quiet { ProgressBar::hidden() } else { ProgressBar::new(job.settings.steps) };
    let template = "verifying {wide_bar} {human_pos} of {human_len} steps, {eta} to go";
    bar.set_style(ProgressStyle::with_template(template).expect("the template is a constant"));
    let cells = stencil::serial(&job.input, job.settings.rate, job.settings.steps, |step| {
        bar.set_position(step);
    });
    bar.finish_and_clear();
    cells
}

fn same_bits(a: &[f64], b: &[f64]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits())
}

fn write_results(job: &Job, report: &Report, cells: Vec<f64>) -> anyhow::Result<()> {
    if let Some(path) = &job.png {
        picture::draw(&job.input, &cells, path)?;
    }
    if let Some(path) = &job.output {
        let mut grid = job.input.clone();
        grid.cells = cells;
        grid.save(path)?;
    }
    if let Some(path) = &job.json {
        report.write_json(path)?;
    }
    Ok(())
}
