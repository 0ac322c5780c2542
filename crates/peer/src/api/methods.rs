//! The rarer methods of HTTP.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Api, ApiError, with_bearer};

impl Api {
    /// Sends a DELETE, reads a JSON answer.
    pub async fn delete<T: DeserializeOwned + Send + 'static>(
        &self,
        path: &str,
        bearer: Option<&str>,
    ) -> Result<T, ApiError> {
        let url = self.url(path);
        let (agent, to, bearer) = (self.agent.clone(), url.clone(), bearer.map(str::to_owned));
        self.call(url, move || with_bearer(agent.delete(&to), bearer).call()).await
    }

    /// Sends a PATCH with a JSON body, reads a JSON answer.
    pub async fn patch<T: DeserializeOwned + Send + 'static>(
        &self,
        path: &str,
        bearer: Option<&str>,
        body: &(impl Serialize + Sync),
    ) -> Result<T, ApiError> {
        let url = self.url(path);
        let body = serde_json::to_string(body).map_err(|error| ApiError::internal(&error))?;
        let (agent, to, bearer) = (self.agent.clone(), url.clone(), bearer.map(str::to_owned));
        self.call(url, move || {
            with_bearer(agent.patch(&to), bearer).header("Content-Type", "application/json").send(body)
        })
        .await
    }
}
