// SPDX-License-Identifier: Apache-2.0

/// What one attempt leaves for the next.
struct ReflectorState: Sendable {
    /// Where to go on from; nil: everything is to be listed.
    var version: String?
    var hasWatchList = true
    var backoff = Backoff()
    var isConnected = false
    /// Lists in a row that were too old as soon as they were there.
    var staleLists = 0
    /// Watches in a row that the server failed, all from one version.
    private var failedWatches = 0

    /// How long to wait; nil: not at all.
    mutating func pause(
        after failure: KubernetesError, _ absence: Duration, _ tell: (InformerStatus) -> Void
    ) -> Duration? {
        switch failure.kind {
        case .expired:
            version = nil
            staleLists += 1
            // The version is too old, which is nobody's failure; again and again it is.
            if staleLists < 3 { return nil }
        case .forbidden:
            isConnected = false
            tell(.forbidden(failure.message))
            return absence
        case .notFound:
            (isConnected, version) = (false, nil)
            tell(.notInstalled(failure.message))
            return absence
        // What was told is not to be relied on as the place to go on from: a server that was set back may never get there.
        case .malformed: version = nil
        case .unauthorized: break
        default:
            if failure.status == 504 { version = nil }
            // The version itself may be what the server cannot bear.
            if failure.status != nil, failure.status != 429 { failedWatches += 1 }
            if failedWatches >= 3 { (version, failedWatches) = (nil, 0) }
        }
        isConnected = false
        tell(.retrying(failure.message))
        return backoff.wait(retryAfter: failure.retryAfter)
    }

    mutating func connected(_ tell: (InformerStatus) -> Void) {
        backoff.reset()
        guard !isConnected else { return }
        isConnected = true
        tell(.connected)
    }

    /// The watch told everything up to this version.
    mutating func note(_ version: String?) {
        (staleLists, failedWatches) = (0, 0)
        if let version, !version.isEmpty { self.version = version }
    }
}
