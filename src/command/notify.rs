//! Keyspace notifications: what happens to keys, published as messages for those who asked for it
//! with `notify-keyspace-events`.

use super::{Context, Shared};
use crate::{
    config::{KeyspaceEvents, Settings},
    keyspace::{EffectKind, Effects, Type},
};

/// What each effect is called, and the class it belongs to.
const EFFECTS: [(EffectKind, KeyspaceEvents, &str); 6] = [
    (EffectKind::Expired, KeyspaceEvents::EXPIRED, "expired"),
    (EffectKind::Evicted, KeyspaceEvents::EVICTED, "evicted"),
    (EffectKind::New, KeyspaceEvents::NEW, "new"),
    (EffectKind::Missed, KeyspaceEvents::KEY_MISS, "keymiss"),
    (EffectKind::FieldsExpired, KeyspaceEvents::HASH, "hexpired"),
    (EffectKind::Emptied, KeyspaceEvents::GENERIC, "del"),
];

/// Whether anything at all is published for events of this class.
fn is_published(events: KeyspaceEvents, class: KeyspaceEvents) -> bool {
    events.contains(class) && events.intersects(KeyspaceEvents::KEYS | KeyspaceEvents::SUBKEYS)
}

/// An event as those hear of it who asked for one class.
struct Event<'a> {
    name: &'a str,
    db: usize,
    key: &'a [u8],
    /// The fields that it is about, if it is about fields.
    fields: &'a [&'a [u8]],
}

/// Has the keyspace keep the effects that these settings publish.
pub(super) fn want(effects: &Effects, settings: &Settings) {
    let events = settings.notify_keyspace_events;
    let kinds: Vec<EffectKind> =
        EFFECTS.iter().filter(|(_, class, _)| is_published(events, *class)).map(|(kind, ..)| *kind).collect();
    effects.want(&kinds);
}

impl Shared {
    fn publish_event(&self, events: KeyspaceEvents, class: KeyspaceEvents, event: &Event<'_>) {
        if !events.contains(class) {
            return;
        }
        let Event { name, db, key, fields } = *event;
        if events.contains(KeyspaceEvents::KEYSPACE) {
            let channel = [format!("__keyspace@{db}__:").as_bytes(), key].concat();
            self.pubsub.publish(&channel, name.as_bytes());
        }
        if events.contains(KeyspaceEvents::KEYEVENT) {
            self.pubsub.publish(format!("__keyevent@{db}__:{name}").as_bytes(), key);
        }
        if events.intersects(KeyspaceEvents::SUBKEYS) && !fields.is_empty() {
            self.publish_fields(events, event);
        }
    }

    /// Publishes an event on the channels that say which fields it is about.
    fn publish_fields(&self, events: KeyspaceEvents, event: &Event<'_>) {
        let Event { name, db, key, fields } = *event;
        let sized = |word: &[u8]| [format!("{}:", word.len()).as_bytes(), word].concat();
        let list = fields.iter().map(|field| sized(field)).collect::<Vec<_>>().join(&b","[..]);
        if events.contains(KeyspaceEvents::SUBKEYSPACE) {
            let channel = [format!("__subkeyspace@{db}__:").as_bytes(), key].concat();
            self.pubsub.publish(&channel, &[name.as_bytes(), b"|", &list].concat());
        }
        if events.contains(KeyspaceEvents::SUBKEYEVENT) {
            let channel = format!("__subkeyevent@{db}__:{name}");
            self.pubsub.publish(channel.as_bytes(), &[&sized(key), &b"|"[..], &list].concat());
        }
        // The key ends where the line does.
        if events.contains(KeyspaceEvents::SUBKEYSPACE_ITEM) && !key.contains(&b'\n') {
            for field in fields {
                let channel = [format!("__subkeyspaceitem@{db}__:").as_bytes(), key, b"\n", field].concat();
                self.pubsub.publish(&channel, name.as_bytes());
            }
        }
        if events.contains(KeyspaceEvents::SUBKEYSPACE_EVENT) {
            let channel = [format!("__subkeyspaceevent@{db}__:{name}|").as_bytes(), key].concat();
            self.pubsub.publish(&channel, &list);
        }
    }

    /// Publishes what has happened to keys on its own: after each command, and by the cron.
    #[inline]
    pub fn publish_effects(&self) {
        if self.keyspace.effects().any() {
            self.publish_all_effects();
        }
    }

    #[cold]
    fn publish_all_effects(&self) {
        self.keyspace.effects().drain(&mut |effect| {
            let events = self.config.current().notify_keyspace_events;
            if let Some((_, class, name)) = EFFECTS.iter().find(|(kind, ..)| *kind == effect.kind) {
                let fields: Vec<&[u8]> = effect.fields.iter().map(|field| &field[..]).collect();
                self.publish_event(events, *class, &Event { name, db: effect.db, key: &effect.key, fields: &fields });
            }
        });
    }
}

impl Context<'_> {
    /// An event of strings.
    #[inline]
    pub fn notify_string(&mut self, event: &str, key: &[u8]) {
        self.notify(KeyspaceEvents::STRING, event, key);
    }

    /// An event of keys of any type.
    #[inline]
    pub fn notify_generic(&mut self, event: &str, key: &[u8]) {
        self.notify(KeyspaceEvents::GENERIC, event, key);
    }

    /// Publishes that `event` has happened to a key of the selected database.
    #[inline]
    pub fn notify(&mut self, class: KeyspaceEvents, event: &str, key: &[u8]) {
        self.notify_in(self.client.db, class, event, key);
    }

    /// Publishes that `event` has happened to a key of database `db`.
    #[inline]
    pub fn notify_in(&mut self, db: usize, class: KeyspaceEvents, event: &str, key: &[u8]) {
        if self.publishes(class) {
            self.publish(class, &Event { name: event, db, key, fields: &[] });
        }
    }

    /// Publishes that `event` has happened to fields of a hash.
    #[inline]
    pub fn notify_fields<'f>(&mut self, event: &str, key: &[u8], fields: impl Iterator<Item = &'f [u8]>) {
        if self.publishes(KeyspaceEvents::HASH) {
            let fields: Vec<&[u8]> = fields.collect();
            self.publish(KeyspaceEvents::HASH, &Event { name: event, db: self.client.db, key, fields: &fields });
        }
    }

    /// What is at a key that a value is to take the place of, if anybody wants to hear of that.
    #[inline]
    pub fn kind_before(&mut self, db: usize, key: &[u8]) -> Option<Type> {
        let wanted = self.publishes(KeyspaceEvents::OVERWRITTEN) || self.publishes(KeyspaceEvents::TYPE_CHANGED);
        if wanted { self.keys.db(db).peek(key).map(|item| item.kind) } else { None }
    }

    /// Publishes that a value has taken the place of the one that [`Self::kind_before`] found.
    #[inline]
    pub fn notify_overwritten(&mut self, db: usize, key: &[u8], before: Option<Type>, kind: Type) {
        let Some(before) = before else { return };
        self.notify_in(db, KeyspaceEvents::OVERWRITTEN, "overwritten", key);
        if before != kind {
            self.notify_in(db, KeyspaceEvents::TYPE_CHANGED, "type_changed", key);
        }
    }

    #[inline]
    fn publishes(&self, class: KeyspaceEvents) -> bool {
        is_published(self.client.settings.notify_keyspace_events, class)
    }

    #[cold]
    fn publish(&self, class: KeyspaceEvents, event: &Event<'_>) {
        // What the command met on its way came first.
        self.shared.publish_effects();
        self.shared.publish_event(self.client.settings.notify_keyspace_events, class, event);
    }
}
