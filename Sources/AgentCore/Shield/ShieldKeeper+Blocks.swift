// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import KernelDatapath
import Logging
import NetworkModel
import ResponseActions

/// Shutting sources out for a time: for people through the API, and for whatever answers attacks by itself.
extension ShieldKeeper {
    /// Drops what a source, a /24 or a /64 sends, from now on; one that is blocked already is made longer or shorter.
    ///
    /// `cause`: for people, 95 bytes of UTF-8 are kept, over restarts too. `rails`: whom the host needs. How long a second
    /// block lasts is the caller's choice: `blocks()` says what is there. Throws `.refused` for whom the host needs and
    /// for what an allow feed names, `.badRequest` for other prefixes and times, `.commitFailed` if there is no room.
    func block(_ prefix: CIDR, seconds: Int64, cause: String, rails: GuardRails) throws(APIError) {
        try checkHarmless(prefix, rails: rails, session: nil)
        try put(prefix, seconds: seconds, cause: cause)
    }

    /// What a response blocks: what somebody else has blocked for longer stays as it is.
    func answer(
        _ prefix: CIDR, seconds: Int64, cause: String, closesFailsafes: Bool, rails: GuardRails
    ) throws(APIError) {
        try requireEnforcing()
        try checkHarmless(prefix, rails: rails, session: nil)
        if let block = try blocks().first(where: { $0.prefix == prefix }), block.remaining > .seconds(seconds),
            !block.isBecause(of: cause)
        {
            return
        }
        try put(prefix, seconds: seconds, cause: cause, closesFailsafes: closesFailsafes)
    }

    /// Ends a block that was put for this cause; one that somebody put in its place stays.
    func lift(_ prefix: CIDR, cause: String) throws(APIError) {
        guard let block = try blocks().first(where: { $0.prefix == prefix }), block.isBecause(of: cause) else { return }
        try unblock(prefix)
    }

    // MARK: - Over reboots

    /// Puts back what the kernel does not have any more, for the rest of its time.
    func restoreBlocks() {
        do {
            let present = Set(try blocks().map(\.prefix))
            var restored = 0
            for kept in blockStore.read(now: clock.now) where !present.contains(kept.prefix) {
                try put(
                    kept.prefix, seconds: kept.seconds, cause: kept.cause, closesFailsafes: kept.closesFailsafes)
                restored += 1
            }
            if restored > 0 { logger.notice("shield: blocks put back", metadata: ["count": "\(restored)"]) }
            areBlocksKept = false
            note("kept blocks", nil)
        } catch {
            note("kept blocks", "blocks of before are not in force: \(error)")
        }
    }

    /// Writes down what is blocked, if that changed or the clock was set.
    func keepBlocks() {
        if clock.takeStep() != nil { areBlocksKept = false }
        guard !areBlocksKept else { return }
        do {
            try blockStore.write(try blocks(), now: clock.now)
            areBlocksKept = true
            note("block store", nil)
        } catch {
            note("block store", "\(error)")
        }
    }

    /// False if it was not blocked.
    @discardableResult
    func unblock(_ prefix: CIDR) throws(APIError) -> Bool {
        do {
            guard try shield.tables.unblock(prefix) else { return false }
        } catch {
            throw APIError(.commitFailed, "\(error)")
        }
        areBlocksKept = false
        logger.notice("shield: unblocked", metadata: ["prefix": "\(prefix)"])
        return true
    }

    /// Those that have not ended.
    func blocks() throws(APIError) -> [ShieldBlock] {
        do {
            return try shield.tables.blocks()
        } catch {
            throw APIError(.unavailable, "cannot read the blocks: \(error)")
        }
    }

    /// `rails`: whom the host needs.
    func block(_ request: ShieldBlockRequest, rails: GuardRails) throws(APIError) -> ShieldReport {
        let prefix = try parse(request.prefix)
        try checkLength(prefix)
        guard let seconds = request.seconds else {
            throw APIError(.badRequest, "say for how long: a second to 30 days")
        }
        if request.force != true {
            try checkHarmless(prefix, rails: rails, session: request.session.flatMap { IPAddress($0) })
        }
        try put(prefix, seconds: seconds, cause: request.cause ?? "by hand")
        return try report()
    }

    func unblock(_ request: ShieldBlockRequest) throws(APIError) -> ShieldReport {
        let prefix = try parse(request.prefix)
        guard try unblock(prefix) else { throw APIError(.notFound, "\(prefix) is not blocked") }
        return try report()
    }

    private func checkLength(_ prefix: CIDR) throws(APIError) {
        guard ShieldBlock.lengths(isIPv4: prefix.isIPv4).contains(prefix.length) else {
            throw APIError(.badRequest, "blocks are of single addresses, of /24 and of /64; longer lists are feeds")
        }
    }

    private func put(
        _ prefix: CIDR, seconds: Int64, cause: String, closesFailsafes: Bool = false
    ) throws(APIError) {
        guard ShieldBlockRequest.secondsRange.contains(seconds) else {
            throw APIError(.badRequest, "a block lasts a second to 30 days")
        }
        try checkLength(prefix)
        do {
            try shield.block(prefix, for: .seconds(seconds), cause: cause, closesFailsafes: closesFailsafes)
        } catch {
            if error.isFull { refusedBlocks += 1 }
            throw APIError(
                .commitFailed,
                error.isFull
                    ? "\(prefix) was not blocked: all \(configuration.settings.blockCapacity) places are taken; raise "
                        + "`shield.blocks` or lift some" : "\(error)")
        }
        areBlocksKept = false
        logger.notice(
            "shield: blocked", metadata: ["prefix": "\(prefix)", "seconds": "\(seconds)", "cause": "\(cause)"])
    }

    /// Who answers attacks by itself must not believe that it did something.
    func requireEnforcing() throws(APIError) {
        guard configuration.settings.mode == .enforce else {
            throw APIError(.refused, "the shield only counts: set `shield.mode: enforce`")
        }
    }

    private func checkHarmless(_ prefix: CIDR, rails: GuardRails, session: IPAddress?) throws(APIError) {
        if let session, prefix.contains(session) {
            throw APIError(.refused, "refused: you sit at \(session); --force blocks it all the same")
        }
        if let need = rails.need(of: prefix) {
            throw APIError(.refused, "refused: \(need); --force blocks it all the same")
        }
        if feeds.allowsSome(of: prefix) {
            throw APIError(.refused, "refused: an allow feed names \(prefix), or part of it, and would beat the block")
        }
    }

    private func parse(_ text: String) throws(APIError) -> CIDR {
        guard let prefix = CIDR(text) ?? IPAddress(text).map(CIDR.init(host:)) else {
            throw APIError(.badRequest, "\"\(text)\" is not an address, a /24 or a /64")
        }
        return prefix
    }

    /// Takes a feed's present text in spite of the shrink limit.
    func accept(_ request: ShieldFeedRequest) throws(APIError) -> ShieldReport {
        guard feeds.accept(request.feed) else {
            throw APIError(.notFound, "no feed \"\(request.feed)\": `bulkhead shield feeds` lists them")
        }
        refreshFeeds(isFirst: false)
        return try report()
    }
}

extension ShieldBlock {
    /// The kernel keeps the beginning of a cause.
    fileprivate func isBecause(of text: String) -> Bool { !cause.isEmpty && text.hasPrefix(cause) }
}
