//! Trains a classifier on a table that nobody else may read, and classifies with it.
//!
//! | request | as | answer |
//! |---|---|---|
//! | `POST /train`, CSV with a label column | command | `{"rows", "iterations", "training_accuracy", "height"}` |
//! | `POST /classify`, CSV without labels | query | `{"positive", "labels", "probabilities"}` |
//! | `GET /model` | query | what the model was trained on, never its weights |
//!
//! The label column is the last one; `?label=NAME` names another. There must be exactly two labels.

mod model;
mod table;

use model::{Model, Training};
use phala_program::{Request, Response, Result, info, prelude::*};
use serde::Serialize;
use table::Table;

phala_program::export!(handle);

const USAGE: &str = "\
POST /train     CSV with a header and a label column (a command)
POST /classify  CSV with a header and no labels (a query)
GET  /model     what the model was trained on
";

/// Answers one request.
pub fn handle(request: Request) -> Response {
    Router::new()
        .get("/", |_: Request| USAGE)
        .post("/train", train)
        .post("/classify", classify)
        .get("/model", describe)
        .handle(request)
}

/// Learns from the table in the body and keeps the model.
fn train(request: Request) -> Result<Json<Training>> {
    let label = request.query("label");
    let text = request.text()?;
    let table = Table::parse(&text).or_status(StatusCode::BAD_REQUEST)?;
    let height = phala_program::context::current().height;
    let model =
        Model::train(&table, label.as_deref(), height).or_status(StatusCode::BAD_REQUEST)?;
    kv::open("classifier")?.set_json("model", &model)?;
    info!("trained on {} rows in {} iterations", model.training.rows, model.training.iterations);
    Ok(Json(model.training))
}

/// What [`classify`] answers, one entry a row.
#[derive(Serialize)]
struct Classified {
    /// The label that the probabilities are of.
    positive: String,
    labels: Vec<String>,
    probabilities: Vec<f64>,
}

/// Labels the rows in the body.
fn classify(request: Request) -> Result<Json<Classified>> {
    let model = stored()?;
    let text = request.text()?;
    let table = Table::parse(&text).or_status(StatusCode::BAD_REQUEST)?;
    let probabilities = model.classify(&table).or_status(StatusCode::BAD_REQUEST)?;
    let labels = probabilities.iter().map(|&p| model.label(p).to_owned()).collect();
    let [_, positive] = model.labels;
    Ok(Json(Classified { positive, labels, probabilities }))
}

/// What [`describe`] answers.
#[derive(Serialize)]
struct Description {
    labels: [String; 2],
    columns: Vec<String>,
    #[serde(flatten)]
    training: Training,
}

/// Says what the model was trained on.
fn describe(_: Request) -> Result<Json<Description>> {
    let Model { labels, columns, training, .. } = stored()?;
    Ok(Json(Description { labels, columns, training }))
}

/// The model, or 404 when there is none yet.
fn stored() -> Result<Model> {
    let model = kv::open("classifier")?.get_json("model")?;
    model.ok_or_else(|| Error::not_found("nothing was learned yet; POST /train as a command"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use phala_program::{http, testing::Worker};
    use serde_json::Value;

    const TRAINING: &str = include_str!("../data/training.csv");
    const HELD_OUT: &str = include_str!("../data/held-out.csv");
    const HELD_OUT_LABELS: &str = include_str!("../data/held-out-labels.csv");

    fn post(path: &str, body: &str) -> Request {
        http::Request::post(path).body(body.into()).unwrap()
    }

    fn get(path: &str) -> Request {
        http::Request::get(path).body(Body::empty()).unwrap()
    }

    fn json(response: Response) -> Value {
        assert_eq!(response.status(), StatusCode::OK, "{:?}", response.into_body().text());
        response.into_body().json().unwrap()
    }

    #[test]
    fn it_learns_the_wisconsin_table_and_labels_the_held_out_third() {
        let worker = Worker::new();
        let trained = json(worker.command(handle, post("/train", TRAINING)));
        assert_eq!(trained["rows"], 379);
        assert!(trained["training_accuracy"].as_f64().unwrap() >= 0.97, "{trained}");
        assert!(trained["iterations"].as_u64().unwrap() <= 20, "{trained}");

        let answer = json(worker.query(handle, post("/classify", HELD_OUT)));
        assert_eq!(answer["positive"], "malignant");
        let truth: Vec<&str> = HELD_OUT_LABELS.lines().skip(1).collect();
        let labels = answer["labels"].as_array().unwrap();
        assert_eq!((labels.len(), truth.len()), (190, 190));
        let right = labels.iter().zip(&truth).filter(|(found, truth)| **found == **truth).count();
        let accuracy = right as f64 / truth.len() as f64;
        println!("{trained} held out: {accuracy}");
        assert!(accuracy >= 0.95, "accuracy on the held-out third is {accuracy}");

        let model = json(worker.query(handle, get("/model")));
        assert_eq!(model["columns"].as_array().unwrap().len(), 30);
        assert!(model.get("weights").is_none());
    }

    #[test]
    fn training_is_refused_in_a_query_and_learns_nothing() {
        let worker = Worker::new();
        assert_eq!(worker.query(handle, post("/train", TRAINING)).status(), 403);
        assert_eq!(worker.query(handle, get("/model")).status(), 404);
    }

    #[test]
    fn a_bad_table_is_400_and_keeps_the_model_that_was() {
        let worker = Worker::new();
        worker.command(handle, post("/train", "x,y\n1,a\n2,b"));
        let answer = worker.command(handle, post("/train", "x,y\n1,a\nzwei,b"));
        assert_eq!(answer.status(), 400);
        let why: Value = answer.into_body().json().unwrap();
        assert_eq!(why["detail"], "line 3, column 'x': 'zwei' is not a finite number");
        assert_eq!(json(worker.query(handle, get("/model")))["rows"], 2);
        assert_eq!(worker.query(handle, post("/classify", "q\n1")).status(), 400);
    }
}
