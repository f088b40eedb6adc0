// SPDX-License-Identifier: Apache-2.0

/// Watches: what they ask for and where they begin.
struct WatchRequest {
    var target: ResourceTarget
    var filter: ObjectFilter
    var renderer: Renderer
    private let version: String
    private let sendsInitialEvents: Bool
    private let wantsBookmarks: Bool
    private let timeoutSeconds: Double

    init(_ request: APIRequest, target: ResourceTarget, filter: ObjectFilter, renderer: Renderer) throws(APIError) {
        self.target = target
        self.filter = filter
        self.renderer = renderer
        version = request.query["resourceVersion"] ?? ""
        sendsInitialEvents = request.isSet("sendInitialEvents")
        wantsBookmarks = request.isSet("allowWatchBookmarks")
        timeoutSeconds = request.query["timeoutSeconds"].flatMap(Double.init) ?? Double.random(in: 1800...3600)
        let match = request.query["resourceVersionMatch"] ?? ""
        if request.query["sendInitialEvents"] != nil, match != "NotOlderThan" {
            throw ListOptions.forbidden(
                "resourceVersionMatch", "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan")
        }
        if request.query["sendInitialEvents"] == nil, !match.isEmpty {
            throw ListOptions.forbidden(
                "resourceVersionMatch",
                "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided")
        }
    }

    /// Whether this is a list by way of a watch.
    var isWatchList: Bool { sendsInitialEvents }

    func plan(_ state: inout StoreState, rewindTo past: Int? = nil) throws(APIError) -> WatchPlan {
        guard let resource = state.resources[target.resource] else { throw .noSuchPath }
        let asked = try ListOptions.version(version)
        var plan = WatchPlan(
            resource: target.resource, renderer: renderer, filter: filter, place: resource.history.endPlace,
            version: state.version, wantsBookmarks: wantsBookmarks, timeoutSeconds: timeoutSeconds)
        if asked > state.version {
            plan.error = .tooLargeVersion(asked, current: state.version)
        } else if sendsInitialEvents || asked == 0 {
            var table = resource.table
            if let past, past >= resource.history.compactedVersion {
                table = resource.history.rewind(table, to: past)
                plan.place = resource.history.place(after: past)
                plan.version = past
            }
            plan.initial = table.all(in: filter.namespace).filter(filter.matches)
            plan.marksInitialEnd = sendsInitialEvents && wantsBookmarks
        } else if asked < resource.history.compactedVersion {
            plan.error = .expired("too old resource version: \(asked) (\(resource.history.compactedVersion))")
        } else {
            plan.place = resource.history.place(after: asked)
            plan.version = asked
        }
        return plan
    }
}
