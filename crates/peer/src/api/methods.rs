//! The rarer methods of HTTP.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Api, ApiError};

impl Api {
    /// Sends a DELETE, reads a JSON answer.
    pub async fn delete<T: DeserializeOwned + Send + 'static>(
        &self,
        path: &str,
        bearer: Option<&str>,
    ) -> Result<T, ApiError> {
        let url = self.url(path);
        self.ask(self.agent.delete(&url), url, bearer).await
    }

    /// Sends a PATCH with a JSON body, reads a JSON answer.
    pub async fn patch<T: DeserializeOwned + Send + 'static>(
        &self,
        path: &str,
        bearer: Option<&str>,
        body: &(impl Serialize + Sync),
    ) -> Result<T, ApiError> {
        let url = self.url(path);
        self.tell(self.agent.patch(&url), url, bearer, body).await
    }
}
