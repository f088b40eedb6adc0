// SPDX-License-Identifier: Apache-2.0

/// Tells people something about an object: an Event of `events.k8s.io`, which `kubectl describe` shows beside it.
package struct EventRecorder: Sendable {
    /// What an event is about.
    package struct Subject: Hashable, Sendable {
        package var kind: ResourceKind
        package var key: ObjectKey
        package var uid: String

        package init(_ kind: ResourceKind, _ object: RawObject) {
            self.init(kind, object.key, uid: object.meta.uid ?? "")
        }

        package init(_ kind: ResourceKind, _ key: ObjectKey, uid: String) {
            self.kind = kind
            self.key = key
            self.uid = uid
        }
    }

    /// One thing to tell.
    package struct Note: Hashable, Sendable {
        /// `Warning`, or else `Normal`.
        package var isWarning: Bool
        /// In CamelCase, for machines: `PolicyRefused`.
        package var reason: String
        /// What was done: `Validating`.
        package var action: String
        /// For people; cut at 1 024 bytes, which is all that servers take.
        package var text: String

        package init(_ reason: String, action: String, _ text: String, isWarning: Bool = false) {
            self.reason = reason
            self.action = action
            self.text = text
            self.isWarning = isWarning
        }
    }

    private let client: KubernetesClient
    /// As in `bulkhead.dev/agent`.
    private let controller: String
    /// The pod's name or the node's.
    private let instance: String

    package init(_ client: KubernetesClient, controller: String, instance: String) {
        self.client = client
        self.controller = controller
        self.instance = instance
    }

    /// Records one event; how often is up to the caller.
    package func record(_ note: Note, about subject: Subject) async throws(KubernetesError) {
        let now = WallClock.microseconds()
        let event = event(note, subject, name: EventRecorder.name(subject, now), time: RFC3339.text(microseconds: now))
        _ = try await client.create(.events, namespace: EventRecorder.namespace(subject), event)
    }

    /// Records an event that may be there already, by a name of the caller's: of one that is, the count and the time are raised.
    ///
    /// Nothing else of an event can be changed.
    package func record(
        _ note: Note, about subject: Subject, name: String, count: Int
    ) async throws(KubernetesError) {
        let time = RFC3339.text(microseconds: WallClock.microseconds())
        let namespace = EventRecorder.namespace(subject)
        do throws(KubernetesError) {
            _ = try await client.create(
                .events, namespace: namespace, event(note, subject, name: name, time: time, count: count))
        } catch {
            guard error.kind == .conflict else { throw error }
            _ = try await client.merge(
                .events, ObjectKey(namespace: namespace, name: name),
                ["series": ["count": .integer(max(2, count)), "lastObservedTime": .string(time)]])
        }
    }

    func event(_ note: Note, _ subject: Subject, name: String, time: String, count: Int = 1) -> JSONValue {
        var regarding: JSONValue = [
            "apiVersion": .string(subject.kind.apiVersion), "kind": .string(subject.kind.kind),
            "name": .string(subject.key.name),
        ]
        if !subject.key.namespace.isEmpty { regarding["namespace"] = .string(subject.key.namespace) }
        if !subject.uid.isEmpty { regarding["uid"] = .string(subject.uid) }
        var event: JSONValue = [
            "apiVersion": "events.k8s.io/v1", "kind": "Event",
            "metadata": ["name": .string(name), "namespace": .string(EventRecorder.namespace(subject))],
            "eventTime": .string(time), "type": note.isWarning ? "Warning" : "Normal",
            "reason": .string(String(note.reason.prefix(128))), "action": .string(String(note.action.prefix(128))),
            "note": .string(EventRecorder.cut(note.text, bytesMax: 1_024)), "regarding": regarding,
            "reportingController": .string(controller), "reportingInstance": .string(String(instance.prefix(128))),
        ]
        // A series begins with two.
        if count > 1 { event["series"] = ["count": .integer(count), "lastObservedTime": .string(time)] }
        return event
    }

    /// Events about objects of the whole cluster are in `default`.
    private static func namespace(_ subject: Subject) -> String {
        subject.key.namespace.isEmpty ? "default" : subject.key.namespace
    }

    /// Unlike all others, and no longer than 253 bytes.
    private static func name(_ subject: Subject, _ now: Int64) -> String {
        "\(subject.key.name.prefix(200)).\(String(now, radix: 16))\(String(UInt16.random(in: 0...UInt16.max), radix: 16))"
    }

    /// The beginning of a text, whole characters.
    static func cut(_ text: String, bytesMax: Int) -> String {
        guard text.utf8.count > bytesMax else { return text }
        var end = text.startIndex
        var count = 0
        while end < text.endIndex {
            count += text[end].utf8.count
            if count > bytesMax - 3 { break }
            end = text.index(after: end)
        }
        return text[..<end] + "…"
    }
}
