//! What the pages of runs say: what must be known first, what `eval` has found, and runs beside each other.

use serde_json::Value;

use super::place::{Place, number, read};

/// Few images, which are learned by heart.
const FEW: &str =
    "train --data strokes:count=60 --hidden 64 --latent 8 --batch 20 --lr 0.003 --epochs 150 --device cpu --out";

fn page(place: &Place, path: &str) -> String {
    read(&place.path(path))
}

#[test]
fn a_page_says_first_what_is_wrong() {
    let place = Place::new();
    let output = place.wgvae(&format!("{FEW} few"));
    let output = String::from_utf8_lossy(&output.stderr).into_owned();
    let epoch = output.split("the model is that of epoch ").nth(1).and_then(|rest| rest.split(';').next());
    let epoch = epoch.unwrap_or_else(|| panic!("it does not overfit: {output}"));
    let html = page(&place, "few/report.html");
    let headline = format!("<b>Overfits after epoch {epoch}</b> The test loss has risen from ");
    let at = html.find(&headline).unwrap_or_else(|| panic!("no {headline}"));
    assert!(at < html.find("<dl class=\"tiles\">").unwrap());
    // Each row of the traversal names its dimension and what it tells.
    assert_eq!(html.matches("<li><span>dimension ").count(), 8);
    assert!(
        html.contains(", KL ") && !html.contains("<title>Map of the test examples</title>"),
        "twelve rows have no map"
    );
    // A page that is made again says the same.
    place.done("report few --device cpu");
    assert!(page(&place, "few/report.html").contains(&headline));
    place.done("train --preset points --data points:count=200 --beta 1000 --steps 60 --device cpu --out none");
    assert!(
        page(&place, "none/report.html").contains("<b>Collapsed: the latent says next to nothing</b> The KL is 0.0")
    );
}

#[test]
fn samples_of_a_column_that_do_not_match_are_named() {
    let place = Place::new();
    // Two far modes, of which a model without a hidden layer and a step of training makes one.
    let rows: String =
        (0..600_u32).map(|i| format!("{},{}\n", if i % 2 == 0 { i % 7 } else { 900 + i % 7 }, i * 37 % 101)).collect();
    std::fs::write(place.path("modes.csv"), format!("amount,b\n{rows}")).unwrap();
    place.done("train --data modes.csv --column amount=number --hidden none --latent 1 --beta 50 --steps 400 --device cpu --out modes");
    let html = page(&place, "modes/report.html");
    let notice = html.split("<b>Samples of `amount`").nth(1).expect("nothing is said of amount");
    let notice = notice.split("</li>").next().unwrap();
    assert!(notice.starts_with(" do not match the data</b>") && notice.contains("% of the samples are"), "{notice}");
}

#[test]
fn what_eval_finds_is_on_the_page_and_in_comparisons() {
    let place = Place::new();
    let train = "train --preset points --data points:moons,count=1000 --epochs 4 --device cpu --out";
    place.done(&format!("{train} one"));
    place.done(&format!("{train} two --beta 4"));
    place.done("eval one --nll 20 --limit 50 --device cpu");
    let html = page(&place, "one/report.html");
    assert!(html.contains("<h2>Evaluation</h2>") && html.contains("<td>50 test rows, 20 draws each, gaussian</td>"));
    // Each call adds to what there is, of the same rows.
    place.done("eval one --nll 20 --device cpu");
    place.done("eval one --aggregate --device cpu");
    let output = place.done("eval one --quality=90 --device cpu");
    assert!(output.contains("written  one/report.html"), "{output}");
    let kept: Value = serde_json::from_str(&read(&place.path("one/eval.json"))).unwrap();
    let html = page(&place, "one/report.html");
    for (key, name) in
        [("nll", "-ln p(x), nats per row"), ("mutual_information", "Mutual information of rows and codes, nats")]
    {
        let value = number(&kept, key);
        let value = if value < 1.0 { format!("{value:.3}") } else { format!("{value:.2}") };
        assert!(html.contains(&format!("<th scope=\"row\">{name}</th><td>{value} ± ")), "no {name} {value}");
    }
    let note = format!("<td>{} test rows, 20 draws each, gaussian</td>", kept["rows"]);
    assert!(html.contains(&note) && html.contains("Fréchet distance of samples") && kept["rows"] != 50, "no {note}");
    let steps = place.done("traverse one --to - --device cpu");
    assert!(steps.starts_with("dimension,value,kl,x,y\n"), "{steps}");
    // A result elsewhere leaves the run as it is.
    place.done("eval one --nll 5 --to elsewhere.json --device cpu");
    assert_eq!(html, page(&place, "one/report.html"));

    place.done("eval two --nll 20 --device cpu");
    let rows: Vec<Value> =
        place.done("compare one two --json").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(rows[0]["loss"] != rows[1]["loss"] && rows[1]["loss"].as_str().unwrap().contains("4 KL"), "{rows:?}");
    let compared = page(&place, "one/compare.html");
    let row = |name: &str| {
        let row = compared.split(&format!("<th scope=\"row\">{name}</th>")).nth(1);
        row.unwrap_or_else(|| panic!("no {name}")).split("</tr>").next().unwrap().to_string()
    };
    // Losses of two betas are not ranked; likelihoods are.
    assert!(!row("Test loss").contains("<b>") && !row("Reconstruction").contains("<b>"));
    assert!(
        row("-ln p(x), nats per row").contains("<td><b>")
            && row("Mutual information of rows and codes, nats").ends_with("<td>–</td>")
    );
    for title in ["Reconstructions", "Samples"] {
        let pictures = compared.split(&format!("<h2>{title}</h2>")).nth(1).unwrap().split("</section>").next().unwrap();
        assert_eq!(pictures.matches("<img ").count(), 2, "{title}");
    }
    // A run that goes on has another model: what was found of the old one is gone.
    place.done("train --resume one --epochs 6 --device cpu");
    assert!(!page(&place, "one/report.html").contains("<h2>Evaluation"));
}

/// The figures are those of the saved model, not of the last epoch.
#[test]
fn the_saved_model_is_compared() {
    let place = Place::new();
    place.done(&format!("{FEW} few"));
    let row: Value = serde_json::from_str(place.done("compare few --json").lines().next().unwrap()).unwrap();
    let (saved, last) = (number(&row, "test_loss"), number(&row, "last_test_loss"));
    assert!(saved < last && number(&row, "model_epoch") < 150.0, "{row}");
    assert!(row["notices"][0].as_str().unwrap().starts_with("Overfits after epoch "), "{row}");
    let eval = place.json("eval few --device cpu --json");
    assert!((number(&eval, "loss") - saved).abs() < 1e-3 * saved.abs().max(1.0), "{eval} {row}");
    let compared = page(&place, "few/compare.html");
    assert!(compared.contains(&format!("<td>{saved:.2}</td>")), "no {saved}");
}
