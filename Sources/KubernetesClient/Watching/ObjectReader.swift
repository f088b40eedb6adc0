// SPDX-License-Identifier: Apache-2.0

/// Makes what is kept of the objects of a kind, and knows which of them cannot be read.
struct ObjectReader<Object: Sendable>: Sendable {
    /// All objects, as they come in.
    ///
    /// Of each only what is kept, so that a list of a hundred thousand pods is never in memory as text.
    struct Collection: Sendable {
        fileprivate var found: [ObjectKey: Object] = [:]
        fileprivate var wrong: [ObjectKey: String] = [:]
    }

    let keep: @Sendable (RawObject) throws -> Object?
    let tell: @Sendable (InformerChange<Object>) -> Void
    private var unreadable: [ObjectKey: String] = [:]

    init(
        keep: @escaping @Sendable (RawObject) throws -> Object?,
        tell: @escaping @Sendable (InformerChange<Object>) -> Void
    ) {
        self.keep = keep
        self.tell = tell
    }

    /// Adds an object to those of a list.
    func add(_ object: RawObject, to all: inout Collection?) {
        remove(object.key, from: &all)
        do {
            all?.found[object.key] = try keep(object)
        } catch {
            all?.wrong[object.key] = "\(error)"
        }
    }

    func remove(_ key: ObjectKey, from all: inout Collection?) {
        all?.found[key] = nil
        all?.wrong[key] = nil
    }

    /// The list is complete.
    mutating func take(_ all: Collection) {
        tell(.replaced(all.found, keeping: Set(all.wrong.keys)))
        note(all.wrong)
    }

    mutating func take(_ object: RawObject) {
        do {
            tell(try keep(object).map { .upserted(object.key, $0) } ?? .removed(object.key))
            forget(object.key)
        } catch {
            note(unreadable.merging([object.key: "\(error)"]) { $1 })
        }
    }

    mutating func take(removed key: ObjectKey) {
        tell(.removed(key))
        forget(key)
    }

    private mutating func forget(_ key: ObjectKey) {
        if unreadable[key] != nil { note(unreadable.filter { $0.key != key }) }
    }

    private mutating func note(_ new: [ObjectKey: String]) {
        guard new != unreadable else { return }
        unreadable = new
        tell(.status(.unreadable(new)))
    }
}
