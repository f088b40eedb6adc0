// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials

/// Lists, with the rules about versions and pages.
struct ListRequest {
    var target: ResourceTarget
    var filter: ObjectFilter
    var renderer: Renderer
    private let limit: Int
    private let continueToken: String
    private let version: String
    private let match: String

    init(_ request: APIRequest, target: ResourceTarget, filter: ObjectFilter, renderer: Renderer) throws(APIError) {
        self.target = target
        self.filter = filter
        self.renderer = renderer
        limit = Int(request.query["limit"] ?? "") ?? 0
        continueToken = request.query["continue"] ?? ""
        version = request.query["resourceVersion"] ?? ""
        match = request.query["resourceVersionMatch"] ?? ""
        try validate()
    }

    private func validate() throws(APIError) {
        if !continueToken.isEmpty, !version.isEmpty, version != "0" {
            throw .badRequest("specifying resource version is not allowed when using continue")
        }
        guard !match.isEmpty else { return }
        if version.isEmpty {
            throw ListOptions.forbidden(
                "resourceVersionMatch", "resourceVersionMatch is forbidden unless resourceVersion is provided")
        }
        if !["Exact", "NotOlderThan"].contains(match) {
            throw ListOptions.invalid(
                "resourceVersionMatch", "NotSupported",
                "Unsupported value: \"\(match)\": supported values: \"Exact\", \"NotOlderThan\", \"\"")
        }
        if match == "Exact", version == "0" {
            throw ListOptions.forbidden(
                "resourceVersionMatch", "resourceVersionMatch \"Exact\" is forbidden for resourceVersion \"0\"")
        }
    }

    func answer(_ state: inout StoreState, rewindTo past: Int? = nil) throws(APIError) -> [UInt8] {
        let (objects, listVersion, start) = try selection(&state, rewindTo: past)
        // The cache that answers version 0 knows no pages.
        let pageLimit = version == "0" || limit <= 0 ? Int.max : limit
        var page: [StoredObject] = []
        var index = start.map { Self.index(of: $0, in: objects) } ?? 0
        while index < objects.count, page.count < pageLimit {
            if filter.matches(objects[index]) { page.append(objects[index]) }
            index += 1
        }
        var metadata: JSON = ["resourceVersion": .string(String(listVersion))]
        while filter.hasSelector, index < objects.count, !filter.matches(objects[index]) { index += 1 }
        if index < objects.count, let last = page.last {
            metadata["continue"] = .string(ContinueToken(version: listVersion, after: last).text)
            if !filter.hasSelector { metadata["remainingItemCount"] = JSON(integerLiteral: objects.count - index) }
            if start == nil { remember(objects, version: listVersion, in: &state) }
        }
        return renderer.list(page, metadata: metadata)
    }

    /// The objects to choose the page from, the version they are of, and the key after which the page begins.
    private func selection(
        _ state: inout StoreState, rewindTo past: Int?
    ) throws(APIError) -> (objects: [StoredObject], version: Int, after: ContinueToken?) {
        guard let resource = state.resources[target.resource] else { throw .noSuchPath }
        if !continueToken.isEmpty {
            guard let token = ContinueToken(continueToken) else {
                throw .badRequest("continue key is not valid: illegal base64 data or encoding")
            }
            if token.version < 0 { return (resource.table.all(in: filter.namespace), state.version, token) }
            let kept = resource.snapshots.last { $0.version == token.version && $0.namespace == filter.namespace }
            if let kept { return (kept.objects, token.version, token) }
            guard token.version >= resource.history.compactedVersion else { throw token.expired }
            let table = resource.history.rewind(resource.table, to: token.version)
            return (table.all(in: filter.namespace), token.version, token)
        }
        var asked = try ListOptions.version(version)
        let isExact = match == "Exact" || (match.isEmpty && limit > 0 && asked > 0)
        if asked > state.version { throw .tooLargeVersion(asked, current: state.version) }
        if let past, asked <= past { asked = past }
        guard isExact || past != nil, asked < state.version else {
            return (resource.table.all(in: filter.namespace), state.version, nil)
        }
        guard asked >= resource.history.compactedVersion else {
            throw .expired("The resourceVersion for the provided list is too old.")
        }
        return (resource.history.rewind(resource.table, to: asked).all(in: filter.namespace), asked, nil)
    }

    /// Later pages read the same state; a few unfinished lists are kept.
    private func remember(_ objects: [StoredObject], version: Int, in state: inout StoreState) {
        var snapshots = state.resources[target.resource]?.snapshots ?? []
        guard !snapshots.contains(where: { $0.version == version && $0.namespace == filter.namespace }) else { return }
        snapshots.append((version, filter.namespace, objects))
        state.resources[target.resource]?.snapshots = snapshots.suffix(4)
    }

    private static func index(of token: ContinueToken, in objects: [StoredObject]) -> Int {
        var low = 0
        var high = objects.count
        while low < high {
            let middle = (low + high) / 2
            let object = objects[middle]
            if (object.namespace, object.name) <= (token.namespace, token.name) {
                low = middle + 1
            } else {
                high = middle
            }
        }
        return low
    }
}

/// Where a list goes on.
struct ContinueToken {
    /// The version of the first page; -1 for "whatever is there now".
    var version: Int
    var namespace: String
    var name: String

    init(version: Int, after object: StoredObject) {
        self.version = version
        namespace = object.namespace
        name = object.name
    }

    init?(_ text: String) {
        let padded = text + String(repeating: "=", count: (4 - text.count % 4) % 4)
        guard let data = Data(base64Encoded: padded), let document = try? JSON(parsing: data),
            let version = document["rv"]?.integer, let start = document["start"]?.text
        else { return nil }
        let key = start.split(separator: "/", omittingEmptySubsequences: false)
        guard key.count == 2 else { return nil }
        self.version = version
        namespace = String(key[0])
        name = String(key[1])
    }

    var text: String {
        let document: JSON = [
            "v": "meta.k8s.io/v1", "rv": JSON(integerLiteral: version), "start": .string("\(namespace)/\(name)"),
        ]
        return String(Data(document.bytes).base64EncodedString().prefix { $0 != "=" })
    }

    /// 410 with a token that goes on without consistency.
    var expired: APIError {
        var token = self
        token.version = -1
        var error = APIError.expired(
            "The provided continue parameter is too old to display a consistent list result. You can start a new list "
                + "without the continue parameter, or use the continue token in this response to retrieve the remainder "
                + "of the results. Continuing with the provided token results in an inconsistent list - objects that "
                + "were created, modified, or deleted between the time the first chunk was returned and now may show up "
                + "in the list.")
        error.continueToken = token.text
        return error
    }
}

/// Rules that lists and watches share.
enum ListOptions {
    private static let definition = ResourceDefinition(group: "meta.k8s.io", "listoptions", kind: "ListOptions")

    static func invalid(_ field: String, _ reason: String, _ message: String) -> APIError {
        .invalid(definition, "", causes: [(field, "FieldValue\(reason)", message)])
    }

    static func forbidden(_ field: String, _ message: String) -> APIError {
        invalid(field, "Forbidden", "Forbidden: \(message)")
    }

    /// The number in `resourceVersion`; 0 for none.
    /// - Throws: 500 for anything else, as the real server does.
    static func version(_ text: String) throws(APIError) -> Int {
        if text.isEmpty { return 0 }
        guard let version = Int(text), version >= 0 else {
            throw .internalError(
                "resourceVersion: Invalid value: \"\(text)\": strconv.ParseUint: parsing \"\(text)\": invalid syntax")
        }
        return version
    }
}
