//! Notebooks in `initialize`. The types of `tower-lsp` are of a protocol version without them, so
//! the capabilities of editor and server are read and written in the JSON of the messages.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use serde_json::{Value, json};
use tower_lsp::jsonrpc::{Request, Response};
use tower_service::Service;

/// A service that adds `notebookDocumentSync` to the capabilities if the editor supports notebooks.
pub struct NotebookSync<S> {
    pub service: S,
}

impl<S> Service<Request> for NotebookSync<S>
where
    S: Service<Request, Response = Option<Response>>,
    S::Future: Send + 'static,
{
    type Response = Option<Response>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Option<Response>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let offer = request.method() == "initialize" && has_notebooks(request.params());
        let answer = self.service.call(request);
        if !offer {
            return Box::pin(answer);
        }
        Box::pin(async {
            let answer = answer.await?;
            Ok(answer.map(|answer| {
                let (id, result) = answer.into_parts();
                Response::from_parts(id, result.map(with_offer))
            }))
        })
    }
}

fn has_notebooks(params: Option<&Value>) -> bool {
    params
        .and_then(|params| params.pointer("/capabilities/notebookDocument/synchronization"))
        .is_some_and(Value::is_object)
}

/// Adds the capability to receive the Python cells of all notebooks, and their saves.
fn with_offer(mut result: Value) -> Value {
    if let Some(capabilities) = result.get_mut("capabilities").and_then(Value::as_object_mut) {
        let selector = json!([{ "notebook": "*", "cells": [{ "language": "python" }] }]);
        capabilities
            .insert("notebookDocumentSync".to_owned(), json!({ "notebookSelector": selector, "save": true }));
    }
    result
}
