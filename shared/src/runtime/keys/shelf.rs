//! Reads and changes stored keys.

use std::marker::PhantomData;

use aws_sdk_secretsmanager::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::{
        get_secret_value::{GetSecretValueError, GetSecretValueOutput},
        put_secret_value::{PutSecretValueError, PutSecretValueOutput},
    },
};
use futures_util::future::LocalBoxFuture;
use sha2::{Digest, Sha256};

use super::{stored, written};
use crate::{
    domain::{
        crypto::{
            key::{Purpose, Stored},
            secret::{Secret, framed},
        },
        time::Timestamp,
    },
    fault::Fault,
};

/// The secret with the keys of one purpose, which the operator reads and changes.
#[derive(Debug)]
pub struct KeyShelf<P> {
    client: Client,
    secret: String,
    purpose: PhantomData<fn() -> P>,
}

/// The content of the secret.
#[derive(Debug)]
pub struct Contents {
    /// The keys.
    pub keys: Vec<Stored>,
    /// Time of the last change.
    pub changed_at: Timestamp,
    version: String,
}

impl<P: Purpose> KeyShelf<P> {
    /// The secret with this ARN.
    #[must_use]
    pub fn new(client: Client, secret: String) -> Self {
        Self {
            client,
            secret,
            purpose: PhantomData,
        }
    }

    /// The keys as they are.
    ///
    /// # Errors
    /// [`Fault`] when the secret cannot be read, or holds no keys.
    pub async fn read(&self) -> Result<Contents, Fault> {
        let answer = get(&self.client, &self.secret).await;
        let answer = answer.map_err(|error| fault::<P>("GetSecretValue", error.code()))?;
        let (Some(version), Some(created)) = (answer.version_id(), answer.created_date()) else {
            return Err(Fault::Keys(format!("the secret of {} says not of when it is", P::NAME)));
        };
        let keys = stored(answer.secret_string().unwrap_or_default());
        Ok(Contents {
            keys: keys.map_err(|why| Fault::Keys(format!("the secret of {} {why}", P::NAME)))?,
            changed_at: Timestamp::from_seconds(created.secs().try_into().unwrap_or_default()),
            version: version.to_owned(),
        })
    }

    /// Replaces exactly the keys that were read; `false` after a concurrent change.
    ///
    /// Secrets Manager has no conditional writes, but a version's id can be chosen and a version cannot be changed
    /// (optimistic locking): all writers that follow the same version choose the same id, so one of them succeeds, even
    /// if its answer is lost.
    ///
    /// # Errors
    /// [`Fault`] when Secrets Manager fails.
    pub async fn replace(&self, read: &Contents, keys: &[Stored]) -> Result<bool, Fault> {
        let next = Sha256::digest(framed(&[b"keys after", read.version.as_bytes()]));
        let next: String = next.iter().map(|byte| format!("{byte:02x}")).collect();
        match put(&self.client, &self.secret, next, &written(keys)).await {
            Ok(_) => Ok(true),
            Err(error) => match error.as_service_error() {
                Some(PutSecretValueError::ResourceExistsException(_)) => Ok(false),
                _ => Err(fault::<P>("PutSecretValue", error.code())),
            },
        }
    }
}

type Boxed<'a, T, E> = LocalBoxFuture<'a, Result<T, SdkError<E>>>;

// Boxed, so that the calls' code is in the library, once for all purposes.
fn get(client: &Client, secret: &str) -> Boxed<'static, GetSecretValueOutput, GetSecretValueError> {
    Box::pin(client.get_secret_value().secret_id(secret).send())
}

fn put(
    client: &Client,
    secret: &str,
    version: String,
    text: &Secret,
) -> Boxed<'static, PutSecretValueOutput, PutSecretValueError> {
    let request = client.put_secret_value().secret_id(secret);
    Box::pin(request.client_request_token(version).secret_string(text.expose()).send())
}

/// The error code may be logged: it is about the secret and contains nothing of it.
fn fault<P: Purpose>(operation: &str, code: Option<&str>) -> Fault {
    let code = code.unwrap_or("no answer");
    Fault::Keys(format!("{operation} of {} failed: {code}", P::NAME))
}
