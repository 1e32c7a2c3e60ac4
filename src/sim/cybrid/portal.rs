//! What only the Partner Portal manages: keys, users and subscriptions.

use serde_json::json;

use super::error::ApiError;
use super::resources::{copied, object};
use super::states::instant;
use super::store::{Object, text};
use super::{Call, Cybrid, ORGANIZATION_GUID};

impl Cybrid {
    pub(super) fn application(&mut self, call: &Call<'_>) -> Object {
        let mut application = object(json!({
            "guid": self.entropy.guid(),
            "client_id": self.entropy.base64url(32),
            "scopes": [],
            "ip_allowlist": [],
            "created_at": instant(call.now()),
            "updated_at": instant(call.now()),
        }));
        application
            .public
            .extend(copied(&call.body, &["name", "expires_at", "ip_allowlist"]));
        application
    }

    pub(super) fn user(&mut self, call: &Call<'_>) -> Result<Object, ApiError> {
        let email = text(&call.body, "email");
        if self
            .store
            .newest_first("users")
            .any(|user| user.text("email") == email)
        {
            return Err(ApiError::new(409, "data_exists", "Data exists: User"));
        }
        let invite = self.entropy.base64url(24);
        Ok(object(json!({
            "guid": self.entropy.guid(),
            "username": email,
            "email": email,
            "allowed_scopes": call.body.get("allowed_scopes").cloned().unwrap_or(json!([])),
            "invite_url": format!("https://id.sandbox.example/invitations/{invite}"),
            "created_at": instant(call.now()),
            "updated_at": instant(call.now()),
        })))
    }

    pub(super) fn subscription(
        &mut self,
        resource: &str,
        call: &Call<'_>,
    ) -> Result<Object, ApiError> {
        let mut made = object(json!({
            "guid": self.entropy.guid(),
            "state": "storing",
            "created_at": instant(call.now()),
            "updated_at": instant(call.now()),
        }));
        if resource == "subscriptions" {
            made.set("organization_guid", ORGANIZATION_GUID);
            // 64 hexadecimal characters, used as text.
            let key = format!("{}{}", self.entropy.guid(), self.entropy.guid());
            made.set("signing_key", key);
            made.set("protection_enabled", false);
            made.public.extend(copied(
                &call.body,
                &[
                    "name",
                    "type",
                    "environment",
                    "url",
                    "recipient",
                    "event_types",
                ],
            ));
        } else {
            for (field, of) in [
                ("subscription_guid", "subscriptions"),
                ("subscription_event_guid", "subscription_events"),
            ] {
                let guid = text(&call.body, field);
                if self.store.get(of, guid).is_none() {
                    return Err(ApiError::not_found());
                }
                made.set(field, guid);
            }
            made.set("attempt_count", 0);
        }
        Ok(made)
    }
}
