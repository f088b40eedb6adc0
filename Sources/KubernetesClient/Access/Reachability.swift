// SPDX-License-Identifier: Apache-2.0

/// Who waits for a server that cannot be reached, and how often it came back.
struct Reachability {
    var waiting = 0
    var returns = 0
    /// It was asked, and nobody answered.
    var isAway = false
    /// Asks whether it is back.
    var probing: Task<Void, Never>?
}

extension KubernetesClient {
    /// How often a server that is away is asked for, at random around it.
    private static let probeInterval = 1.5
    private static let probeTime: Duration = .seconds(3)

    /// Waits before the next attempt; where nobody could be reached only until somebody can.
    ///
    /// One small request asks for all kinds: each by itself would come back late, or too often.
    func pause(_ time: Duration, after failure: KubernetesError) async {
        guard failure.kind == .unreachable, failure.status == nil else {
            try? await Task.sleep(for: time)
            return
        }
        reachability.waiting += 1
        defer { reachability.waiting -= 1 }
        if reachability.probing == nil { reachability.probing = Task { await probe() } }
        let (begin, end) = (reachability.returns, ContinuousClock.now + time)
        while !Task.isCancelled, reachability.returns == begin {
            let rest = end - ContinuousClock.now
            guard rest > .zero else { return }
            // Not all at the same moment.
            try? await Task.sleep(for: min(rest, .seconds(Double.random(in: 0.1...0.5))))
        }
    }

    /// Asks until it is answered, or nobody waits any more.
    private func probe() async {
        defer { reachability.probing = nil }
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(Self.probeInterval * Double.random(in: 0.7...1.3)))
            guard reachability.waiting > 0 else { return }
            let wasAway = reachability.isAway
            reachability.isAway = await !isAnswering()
            guard !reachability.isAway else { continue }
            // What fails although the server is there has its reason, and is not asked for any sooner.
            if wasAway { reachability.returns += 1 }
            return
        }
    }

    /// Whether a server answers, whatever it says; what only stands before it says 502 and the like.
    private func isAnswering() async -> Bool {
        do throws(KubernetesError) {
            _ = try await open("GET", "/version", within: Self.probeTime)
            return true
        } catch {
            return error.status.map { $0 < 500 } ?? (error.kind == .malformed)
        }
    }
}
