//! Sessions: the examples beside programs that were written apart, in plain loops of f64; and what a session promises.

use wgvae_engine::exec::gpu::{self, Gpu, GpuError, GpuOptions, Needs};
use wgvae_engine::exec::{DeviceError, OpenDevice, list_adapters};
use wgvae_engine::graph::{Graph, GroupSpec};
use wgvae_engine::plan::{Function, Init, Orientation, PlanError, STEPS_PER_SUBMIT, StepScalars};
use wgvae_engine::session::{LossSpec, PlanSpec, Session, SessionError, SessionSpec, initial_weights};

#[path = "../examples/adversaries.rs"]
mod adversaries;
#[path = "../examples/recurrent.rs"]
mod recurrent;

/// The processor, the oracle, and the best adapter where there is one.
fn devices() -> Vec<OpenDevice> {
    let adapter = list_adapters(&gpu::instance()).into_iter().next();
    let adapter = adapter.map(|entry| OpenDevice::Adapter(Gpu::open(&entry, Needs::default()).unwrap()));
    [OpenDevice::Cpu, OpenDevice::Oracle].into_iter().chain(adapter).collect()
}

/// Adam, as PyTorch has it.
struct Adam {
    rate: f64,
    moments: Vec<[f64; 2]>,
    count: i32,
}

impl Adam {
    fn new(rate: f64, count: usize) -> Self {
        Self { rate, moments: vec![[0.0; 2]; count], count: 0 }
    }

    fn update(&mut self, weights: &mut [f64], gradients: &[f64]) {
        self.count += 1;
        for ((w, g), [m, v]) in weights.iter_mut().zip(gradients).zip(&mut self.moments) {
            *m = 0.9 * *m + 0.1 * g;
            *v = 0.999 * *v + 0.001 * g * g;
            let m = *m / (1.0 - 0.9_f64.powi(self.count));
            let v = *v / (1.0 - 0.999_f64.powi(self.count));
            *w -= self.rate * m / (v.sqrt() + 1e-8);
        }
    }
}

/// The parameters of these names, one after the other.
fn named(session: &mut Session, names: &[&str]) -> Vec<f64> {
    let (arena, params) = (session.weights().unwrap(), session.program().params.clone());
    let of = |name: &&str| {
        let param = params.find(name).unwrap();
        arena[param.offset..param.offset + param.len()].to_vec()
    };
    names.iter().flat_map(of).map(f64::from).collect()
}

fn expect_close(what: &str, found: &[f64], expected: &[f64]) {
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    let distance = norm(&mut found.iter().zip(expected).map(|(a, b)| a - b));
    let size = norm(&mut expected.iter().copied());
    assert!(distance <= 1e-5 * size, "{what} is off by {:e}", distance / size);
}

/// `softplus(x)` and its slope.
fn softplus(x: f64) -> (f64, f64) {
    (x.max(0.0) + (-x.abs()).exp().ln_1p(), 1.0 / (1.0 + (-x).exp()))
}

const RATES: [f64; 2] = [5e-3, 2e-3];
const TOLD_APART: [&str; 4] =
    ["discriminator.0.weight", "discriminator.0.bias", "discriminator.1.weight", "discriminator.1.bias"];
const MADE: [&str; 2] = ["generator.weight", "generator.bias"];

/// The logit of a number, and its slopes by the parameters and by the number.
fn logit(d: &[f64], x: f64) -> (f64, Vec<f64>, f64) {
    let h = adversaries::HIDDEN;
    let (w, b, v) = (&d[..h], &d[h..2 * h], &d[2 * h..3 * h]);
    let mut slopes = vec![0.0; 3 * h + 1];
    let (mut sum, mut by_x) = (d[3 * h], 0.0);
    for i in 0..h {
        let state = (w[i] * x + b[i]).tanh();
        let back = v[i] * (1.0 - state * state);
        sum += v[i] * state;
        (slopes[i], slopes[h + i], slopes[2 * h + i]) = (back * x, back, state);
        by_x += back * w[i];
    }
    slopes[3 * h] = 1.0;
    (sum, slopes, by_x)
}

/// A step of both networks, each by the parameters of before; the losses.
fn step_apart(d: &mut [f64], g: &mut [f64], adams: &mut [Adam; 2], real: &[f32], noise: &[f32]) -> [f64; 2] {
    let (mut of_d, mut of_g, mut losses) = (vec![0.0; d.len()], vec![0.0; 2], [0.0; 2]);
    let each = 1.0 / real.len() as f64;
    for (real, noise) in real.iter().zip(noise).map(|(real, noise)| (f64::from(*real), f64::from(*noise))) {
        let made = g[0] * noise + g[1];
        let ((of_real, slopes, _), (of_made, slopes_made, by_x)) = (logit(d, real), logit(d, made));
        let ((misses, miss), (alarms, alarm), (caught, catch)) =
            (softplus(-of_real), softplus(of_made), softplus(-of_made));
        losses[0] += each * (misses + alarms);
        losses[1] += each * caught;
        for ((d, slope), made) in of_d.iter_mut().zip(&slopes).zip(&slopes_made) {
            *d += each * (alarm * made - miss * slope);
        }
        of_g[0] -= each * catch * by_x * noise;
        of_g[1] -= each * catch * by_x;
    }
    adams[0].update(d, &of_d);
    adams[1].update(g, &of_g);
    losses
}

#[test]
fn adversaries_train_as_in_plain_loops() {
    for device in devices() {
        let name = device.record().name;
        let mut session = Session::build(&adversaries::spec(), &device, 0).unwrap();
        let (mut d, mut g) = (named(&mut session, &TOLD_APART), named(&mut session, &MADE));
        let mut adams = [Adam::new(RATES[0], d.len()), Adam::new(RATES[1], 2)];
        let train = session.plan("train").unwrap();
        let [real, noise] = ["real", "noise"].map(|name| session.input(name).unwrap());
        let [first, second] = ["discriminator", "generator"].map(|name| session.rate(name).unwrap());
        let step = StepScalars::default().with(first, RATES[0] as f32).with(second, RATES[1] as f32);
        for number in 0..100 {
            let measured: Vec<f32> = adversaries::normals(1, number).iter().map(|z| 3.0 + 0.5 * z).collect();
            let draws = adversaries::normals(2, number);
            session.set(real, &measured).unwrap();
            session.set(noise, &draws).unwrap();
            let metrics = session.run(train, &[step]).unwrap();
            let expected = step_apart(&mut d, &mut g, &mut adams, &measured, &draws);
            let found: Vec<f64> = metrics.rows().flatten().copied().collect();
            expect_close(&format!("the loss of step {number} on {name}"), &found, &expected);
        }
        expect_close(&format!("the discriminator on {name}"), &named(&mut session, &TOLD_APART), &d);
        expect_close(&format!("the generator on {name}"), &named(&mut session, &MADE), &g);
    }
}

/// The gradients of the recurrent network by back-propagation through time, `(input, bias, recurrent, readout)`, and its loss.
fn through_time(weights: &[f64], numbers: &[f32], target: &[f32]) -> (Vec<f64>, f64) {
    let (h, rows, steps) = (recurrent::HIDDEN, recurrent::BATCH, recurrent::STEPS);
    let (input, bias, kept, readout) =
        (&weights[..h], &weights[h..2 * h], &weights[2 * h..2 * h + h * h], &weights[2 * h + h * h..]);
    let (mut gradients, mut loss) = (vec![0.0; weights.len()], 0.0);
    for row in 0..rows {
        let x = |time: usize| f64::from(numbers[time * rows + row]);
        let mut states = vec![vec![0.0; h]];
        for time in 0..steps {
            let before = &states[time];
            let sum =
                |i: usize| input[i] * x(time) + bias[i] + (0..h).map(|j| kept[i * h + j] * before[j]).sum::<f64>();
            states.push((0..h).map(|i| sum(i).tanh()).collect());
        }
        let said: f64 = readout.iter().zip(&states[steps]).map(|(w, state)| w * state).sum();
        let off = said - f64::from(target[row]);
        loss += off * off / rows as f64;
        let d_said = 2.0 * off / rows as f64;
        let mut d: Vec<f64> = readout.iter().map(|w| w * d_said).collect();
        (0..h).for_each(|i| gradients[2 * h + h * h + i] += d_said * states[steps][i]);
        for time in (0..steps).rev() {
            let back: Vec<f64> = (0..h).map(|i| d[i] * (1.0 - states[time + 1][i].powi(2))).collect();
            for i in 0..h {
                gradients[i] += back[i] * x(time);
                gradients[h + i] += back[i];
                (0..h).for_each(|j| gradients[2 * h + i * h + j] += back[i] * states[time][j]);
            }
            d = (0..h).map(|j| (0..h).map(|i| back[i] * kept[i * h + j]).sum()).collect();
        }
    }
    (gradients, loss)
}

#[test]
fn a_recurrent_network_trains_as_in_plain_loops() {
    for device in devices() {
        let name = device.record().name;
        let mut session = Session::build(&recurrent::spec(), &device, 0).unwrap();
        let names = ["input", "bias", "recurrent", "readout"];
        let mut weights = named(&mut session, &names);
        let mut adam = Adam::new(3e-3, weights.len());
        let (train, rate) = (session.plan("train").unwrap(), session.rate("all").unwrap());
        let [numbers, target] = ["numbers", "target"].map(|name| session.input(name).unwrap());
        for number in 0..100 {
            let (values, wanted) = recurrent::batch(number);
            session.set(numbers, &values).unwrap();
            session.set(target, &wanted).unwrap();
            let metrics = session.run(train, &[StepScalars::default().with(rate, 3e-3)]).unwrap();
            let (gradients, loss) = through_time(&weights, &values, &wanted);
            let found: Vec<f64> = metrics.rows().flatten().copied().collect();
            expect_close(&format!("the loss of step {number} on {name}"), &found, &[loss]);
            adam.update(&mut weights, &gradients);
        }
        expect_close(&format!("the weights on {name}"), &named(&mut session, &names), &weights);
    }
}

/// A line through points, by two parameters of a group each.
fn line(groups: Vec<GroupSpec>) -> SessionSpec {
    let mut graph = Graph::default();
    let g = &mut graph;
    let (x, y) = (g.input("x", [4, 1], false), g.input("y", [4, 1], false));
    let slope = g.param("slope", &[1, 1], Init::Constant(0.0));
    let height = g.param("height", &[1], Init::Constant(0.0));
    let product = g.product("product", Orientation::Nt, x, slope);
    let sum = g.sum_of("sum", product, height);
    let minus = g.negative("minus", y);
    let off = g.sum_of("off", sum, minus);
    let squares = g.map("squares", Function::Multiply, &[off, off]);
    let losses = groups.iter().map(|group| LossSpec::mean(g, squares, &group.name)).collect();
    let groups = groups.into_iter().map(|group| match group.name.as_str() {
        "slope" => group.of(g.block(slope)),
        "height" => group.of(g.block(height)),
        _ => group,
    });
    let groups = groups.collect();
    let metrics = vec![("error".into(), squares)];
    let train = PlanSpec { name: "train".into(), graph, inputs: vec![x, y], outputs: vec![sum], metrics, losses };
    SessionSpec { plans: vec![train], groups, unfused: false }
}

fn feed(session: &mut Session) {
    let [x, y] = ["x", "y"].map(|name| session.input(name).unwrap());
    session.set(x, &[1.0, 2.0, 3.0, 4.0]).unwrap();
    session.set(y, &[3.0, 5.0, 7.0, 9.0]).unwrap();
}

fn params(session: &mut Session) -> [f64; 2] {
    let values = named(session, &["slope", "height"]);
    [values[0], values[1]]
}

#[test]
fn groups_act_as_often_as_they_should() {
    let groups =
        || vec![GroupSpec::adam("slope"), GroupSpec { every: 3, clip: Some(0.5), ..GroupSpec::adam("height") }];
    for device in devices() {
        let mut session = Session::build(&line(groups()), &device, 0).unwrap();
        assert_eq!(session.program().plans.len(), 2, "a plan where one acts, and one where both do");
        feed(&mut session);
        let train = session.plan("train").unwrap();
        let [first, second] = ["slope", "height"].map(|name| session.rate(name).unwrap());
        let step = StepScalars::default().with(first, 0.1).with(second, 0.1);
        let (mut slope, mut height) = (vec![0.0], vec![0.0]);
        let (mut of_slope, mut of_height) = (Adam::new(0.1, 1), Adam::new(0.1, 1));
        for number in 0..20 {
            let before = params(&mut session);
            session.run(train, &[step]).unwrap();
            let now = params(&mut session);
            assert_eq!(now[1] != before[1], number % 3 == 0, "step {number}");
            let points = [(1.0, 3.0), (2.0, 5.0), (3.0, 7.0), (4.0, 9.0)];
            let off = points.map(|(x, y)| (x, slope[0] * x + height[0] - y));
            let d_slope = off.iter().map(|(x, off)| 2.0 * off * x / 4.0).sum();
            let d_height: f64 = off.iter().map(|(_, off)| 2.0 * off / 4.0).sum();
            of_slope.update(&mut slope, &[d_slope]);
            if number % 3 == 0 {
                let clipped = d_height * (0.5 / (d_height.abs() + 1e-6)).min(1.0);
                of_height.update(&mut height, &[clipped]);
            }
            expect_close(&format!("step {number}"), &now, &[slope[0], height[0]]);
        }
    }
}

#[test]
fn steps_together_are_steps_apart_and_a_state_goes_on_elsewhere() {
    let spec = line(vec![GroupSpec { every: 2, ..GroupSpec::adam("all") }]);
    for device in devices() {
        let build = || {
            let mut session = Session::build(&spec, &device, 0).unwrap();
            feed(&mut session);
            let step = StepScalars::default().with(session.rate("all").unwrap(), 0.01);
            let train = session.plan("train").unwrap();
            (session, train, step)
        };
        // More than fit into two submits.
        let count = 2 * STEPS_PER_SUBMIT + 77;
        let (mut together, train, step) = build();
        let rows = together.run(train, &vec![step; count]).unwrap();
        assert_eq!(rows.len(), count);
        let (mut apart, ..) = build();
        let first = apart.run(train, &vec![step; 301]).unwrap();
        assert!(first.rows().eq(rows.rows().take(301)), "the metrics of 301 steps");
        let state = apart.state().unwrap();
        // Built again, as after the loss of a device, and from another seed.
        let mut again = Session::build(&spec, &device, 7).unwrap();
        again.reopen(&device, &state).unwrap();
        feed(&mut again);
        let rest = again.run(train, &vec![step; count - 301]).unwrap();
        assert!(rest.rows().eq(rows.rows().skip(301)), "the metrics of the steps behind them");
        assert_eq!(again.state().unwrap(), together.state().unwrap());
    }
}

#[test]
fn a_session_says_what_is_wrong_with_it() {
    let spec = line(vec![GroupSpec::adam("all")]);
    let mut session = Session::build(&spec, &OpenDevice::Cpu, 0).unwrap();
    let error = session.input("z").unwrap_err().to_string();
    assert_eq!(error, "the session has no input `z`; it has x, y");
    assert!(session.rate("none").unwrap_err().to_string().contains("no group `none`; it has all"));
    let x = session.input("x").unwrap();
    assert!(matches!(session.set(x, &[1.0]), Err(SessionError::Plan(PlanError::Shape { .. }))));
    assert!(matches!(session.set_weights(&[1.0]), Err(SessionError::State { needed: 128, .. })));
    let other = Session::build(&line(vec![GroupSpec::adam("slope"), GroupSpec::adam("height")]), &OpenDevice::Cpu, 0);
    let state = other.unwrap().state().unwrap();
    assert!(session.restore(&state).unwrap_err().to_string().contains("2 groups, and the session 1"));
    // One parameter in two groups, two nodes of one name, graphs that do not continue each other.
    let twice = line(vec![GroupSpec::adam("slope"), GroupSpec::adam("all")]);
    assert!(twice.plan().unwrap_err().to_string().contains("is in two groups"));
    let mut same = line(vec![GroupSpec::adam("all")]);
    let again = same.plans[0].graph.input("x", [4, 1], false);
    same.plans[0].inputs.push(again);
    assert!(matches!(same.plan(), Err(PlanError::SameName(name)) if name == "x"));
    let mut apart = line(vec![GroupSpec::adam("all")]);
    let mut graph = Graph::default();
    graph.param("else", &[64], Init::Constant(0.0));
    apart.plans.push(PlanSpec { name: "apply".into(), graph, ..PlanSpec::default() });
    assert!(matches!(apart.plan(), Err(PlanError::Continued { plan, .. }) if plan == "apply"));
}

/// Too many steps, and too many submits, are errors on every executor.
#[test]
fn a_submit_takes_so_many_steps() {
    for device in devices() {
        let name = device.record().name;
        let mut session = Session::build(&line(vec![GroupSpec::adam("all")]), &device, 0).unwrap();
        let train = session.plan("train").unwrap();
        let refused = |result: Result<(), SessionError>| {
            matches!(result, Err(SessionError::Device(DeviceError::Gpu(GpuError::Submit { .. }))))
        };
        let step = StepScalars::default();
        assert!(refused(session.start(train, &vec![step; STEPS_PER_SUBMIT + 1])), "{name}");
        assert_eq!(session.state().unwrap().updates, [0], "{name}: nothing was counted");
        session.start(train, &[step]).unwrap();
        session.start(train, &[step]).unwrap();
        assert!(refused(session.start(train, &[step])), "{name}");
        assert_eq!(session.collect().unwrap().unwrap().len(), 1);
        session.start(train, &[step]).unwrap();
        assert!(session.collect().unwrap().is_some() && session.collect().unwrap().is_some());
        assert!(session.collect().unwrap().is_none());
    }
}

#[test]
fn a_session_can_be_sent_and_starts_from_its_seed() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    let spec = recurrent::spec();
    let mut session = is_send(Session::build_with(&spec, &OpenDevice::Cpu, &GpuOptions::default(), 5).unwrap());
    let here = std::thread::spawn(move || (session.weights().unwrap(), session.program().params.clone()));
    let (weights, params) = here.join().unwrap();
    assert_eq!(weights, initial_weights(&params, 5));
}

/// What a browser uses: nothing waits, and the result is the same.
#[test]
fn futures_give_what_the_blocking_calls_give() {
    let spec = line(vec![GroupSpec::adam("all")]);
    for device in devices() {
        let mut blocking = Session::build(&spec, &device, 0).unwrap();
        feed(&mut blocking);
        let train = blocking.plan("train").unwrap();
        let step = StepScalars::default().with(blocking.rate("all").unwrap(), 0.1);
        let rows = blocking.run(train, &[step; 5]).unwrap();
        let sums = blocking.get(blocking.output("sum").unwrap()).unwrap();
        let (found, in_future) = pollster::block_on(async {
            let mut session = Session::request(&spec, &device, &GpuOptions::default(), 0).await.unwrap();
            feed(&mut session);
            session.start(train, &[step; 5]).unwrap();
            let rows = session.finished().await.unwrap().unwrap();
            assert_eq!(session.finished().await.unwrap(), None);
            let output = session.output("sum").unwrap();
            (rows, session.fetch(output).await.unwrap())
        });
        assert_eq!((found, in_future), (rows, sums));
    }
}

/// Sessions on one device share what is compiled, and leave nothing behind.
#[test]
fn a_thousand_sessions_come_and_go() {
    let Some(entry) = list_adapters(&gpu::instance()).into_iter().next() else { return };
    // A device of its own, as the counters count the objects of all who use one.
    let gpu = Gpu::open(&entry, Needs::default()).unwrap();
    let device = OpenDevice::Adapter(gpu.clone());
    let held = || {
        gpu.device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
        let hal = gpu.device.get_internal_counters().hal;
        let all = [&hal.buffers, &hal.buffer_memory, &hal.compute_pipelines, &hal.bind_groups, &hal.shader_modules];
        all.map(|counter| counter.read())
    };
    let spec = line(vec![GroupSpec::adam("all")]);
    let build = || {
        let mut session = Session::build(&spec, &device, 0).unwrap();
        feed(&mut session);
        let (train, step) = (session.plan("train").unwrap(), StepScalars::default());
        session.run(train, &[step]).unwrap();
        session
    };
    let nothing = held();
    let kept = build();
    let one = held();
    assert!(one[2] > 2 && one[1] > nothing[1], "the counters count nothing: {one:?}");
    for number in 0..1000 {
        let session = build();
        if number % 100 == 0 {
            let two = held();
            assert_eq!(two[2], one[2], "a second session compiles nothing");
            assert!(two[0] > one[0]);
        }
        drop(session);
    }
    assert_eq!(held(), one);
    drop(kept);
    let left = held();
    // Bytes and pipelines.
    assert!(left[1] <= nothing[1] && left[2] <= nothing[2], "{left:?} when all are gone, {nothing:?} before");
}

/// A number that each step sets, by its name.
#[test]
fn steps_set_the_scalars_that_graphs_name() {
    for device in devices() {
        let mut g = Graph::default();
        let x = g.input("x", [2, 3], false);
        let scale = g.step_scalar("scale").unwrap();
        let scaled = g.map("scaled", Function::Multiply, &[x, scale]);
        let plan =
            PlanSpec { name: "scale".into(), graph: g, inputs: vec![x], outputs: vec![scaled], ..PlanSpec::default() };
        let spec = SessionSpec { plans: vec![plan], ..SessionSpec::default() };
        let mut session = Session::build(&spec, &device, 0).unwrap();
        let (x, plan, scale) =
            (session.input("x").unwrap(), session.plan("scale").unwrap(), session.scalar("scale").unwrap());
        let scaled = session.output("scaled").unwrap();
        session.set(x, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
        for factor in [2.0, -0.5] {
            session.run(plan, &[StepScalars::default().with(scale, factor)]).unwrap();
            let expected = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0].map(|value| value * factor);
            assert_eq!(session.get(scaled).unwrap(), expected);
        }
        let error = session.scalar("beta").unwrap_err().to_string();
        assert_eq!(error, "the session has no scalar `beta`; it has scale");
    }
}
