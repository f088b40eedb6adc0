// SPDX-License-Identifier: Apache-2.0
package import EventModel
package import IdentityModel
package import NetworkModel
package import PolicyCompiler
package import PolicyModel

/// The kernel side as the agent sees it: `Datapath` is the real one, `InMemoryDatapath` the double for tests.
///
/// Calls block (up to some ten milliseconds for a commit, which waits for running programs) and are serialised inside;
/// only programs are put on and taken off beside the rest, because the kernel takes its time for it.
package protocol DatapathWriting: Sendable {
    /// Switches audit mode, time-outs and reporting; takes effect with the next packet.
    func configure(_ settings: DatapathSettings) throws(DatapathError)

    /// Sets the ports of host endpoints that stay open whatever the policy says; replaces the earlier set.
    func setFailsafes(_ ports: Set<FailsafePort>) throws(DatapathError)

    /// Makes these the services of the host, by whose sockets packets are judged; replaces the earlier set.
    ///
    /// With none no program stays on the cgroup hierarchy.
    func setServices(_ services: [DatapathService], in field: ServiceField) throws(DatapathError)

    /// The programs that judge services; none if this kernel does not take them.
    func servicePrograms() throws(DatapathError) -> [ServiceProgram]

    /// Says by which subjects the stages of the host are judged; those that are missing are not.
    ///
    /// The subjects must be in the tables.
    func setStages(_ subjects: [HostStage: UInt16]) throws(DatapathError)

    /// Adds connections of the host that no default deny cuts.
    func keep(_ connections: Set<HostConnection>) throws(DatapathError)

    /// Takes off that list what is not among these; the number of those left.
    func keepOnly(_ connections: Set<HostConnection>) throws(DatapathError) -> Int

    /// Attaches an endpoint's programs, or brings what is known of an attached one up to date.
    ///
    /// The record is in place before the first program is: no packet is judged without it. Calls for one interface
    /// must not overlap, unless it is attached. If the table of addresses is full it is attached all the same, without
    /// the addresses that are new, and an error is thrown.
    ///
    /// `isAtOnce`: a workload's programs may be filters at first, for which the kernel waits for nobody, where links are
    /// meant to last; `settle` brings those. For an interface that nobody uses yet: the kernel drops what leaves by it
    /// while it makes room for filters.
    @discardableResult
    func attach(_ endpoint: DatapathEndpoint, isAtOnce: Bool) throws(DatapathError) -> AttachmentKind

    /// Puts links in the place of the filters that an interface was given at once; nothing where it has none.
    ///
    /// No packet passes unseen meanwhile.
    func settle(interface: UInt32) throws(DatapathError) -> AttachmentKind

    /// Detaches an interface and forgets it; false if it was not attached.
    ///
    /// The device may be gone already.
    @discardableResult
    func detach(interface: UInt32) throws(DatapathError) -> Bool

    /// The attached endpoints, those found in the kernel at the start included, by interface index.
    func endpoints() -> [DatapathEndpoint]

    /// Writes a complete state and switches to it; the first commit after a start must be this one.
    @discardableResult
    func replace(with state: MapState) throws(DatapathError) -> CommitReport

    /// Carries out changes as one transaction: every packet sees all of them or none.
    ///
    /// Throws before anything changed. `isAhead`: returns when every packet that comes sees them; a packet that is being
    /// judged may still see what was before, and the next commit waits for it, or `levelBanks`.
    @discardableResult
    func commit(_ changes: MapChanges, isAhead: Bool) throws(DatapathError) -> CommitReport

    /// Waits until no packet sees what was before the last commit; blocks only those who commit after the wait.
    func levelBanks()

    /// Says whose DNS answers are believed, and for how long.
    func configureNames(_ settings: NameSettings) throws(DatapathError)

    /// Makes these the names that have numbers; what was answered before is looked through.
    ///
    /// To be called with new names before the commit of entries that rely on them, and without old ones after it.
    func setNames(_ numbers: [NameSelector: NumericIdentity]) throws(DatapathError)

    /// What DNS has told every endpoint, in no order.
    func learntNames() throws(DatapathError) -> [LearntName]

    /// Removes what DNS said long ago, or to endpoints that are gone.
    func sweepNames() throws(DatapathError)

    /// Removes flows that are expired or belong to endpoints that are gone.
    @discardableResult
    func sweepConntrack() throws(DatapathError) -> SweepReport

    /// The tracked flows, of one endpoint or all, in no order.
    func conntrackFlows(of endpoint: UInt16?) throws(DatapathError) -> [ConntrackFlow]

    /// How many entries the conntrack table holds now, expired ones that await the sweep included.
    ///
    /// Walks the table: some 0.1 µs an entry.
    func conntrackCount() throws(DatapathError) -> Int

    /// The datapath's counters, summed over the CPUs.
    func metrics() throws(DatapathError) -> DatapathMetrics

    /// What rules decided since the tables were made: every packet that passed moved exactly one slot, built-in ones
    /// included, and so did every packet that a rule dropped.
    ///
    /// Slots are reused: keep the value at hand-out.
    func ruleTraffic(_ slots: [UInt32]) throws(DatapathError) -> [UInt32: RuleTraffic]

    /// Runs of the programs of endpoints and services; empty unless the kernel counts them (`kernel.bpf_stats_enabled`).
    func programRuns() throws(DatapathError) -> [ProgramRuns]

    /// What is loaded and how, for `bulkhead status`.
    func status() -> DatapathStatus

    /// What the kernel has and lacks, as probed when it was first asked for.
    func kernelSupport() -> KernelSupport

    /// Starts reading events on a thread of its own; `deliver` is called there with each batch, in order.
    func readEvents(_ deliver: @escaping @Sendable (EventBatch) -> Void) throws(DatapathError) -> any EventReading
}

extension DatapathWriting {
    /// Attaches an endpoint's programs to stay.
    @discardableResult
    package func attach(_ endpoint: DatapathEndpoint) throws(DatapathError) -> AttachmentKind {
        try attach(endpoint, isAtOnce: false)
    }

    /// Carries out changes as one transaction, and returns when no packet sees what was before.
    @discardableResult
    package func commit(_ changes: MapChanges) throws(DatapathError) -> CommitReport {
        try commit(changes, isAhead: false)
    }
}

/// Flow events that were read together.
package struct EventBatch: Sendable {
    package var flows: [FlowEvent]
    /// Records that this version could not decode.
    package var malformed: Int

    package init(flows: [FlowEvent], malformed: Int = 0) {
        self.flows = flows
        self.malformed = malformed
    }
}

/// A running event reader.
///
/// It stops when it is released, or by `stop`.
package protocol EventReading: Sendable {
    /// Ends the reader and waits until it has ended; unread events stay for the next one.
    ///
    /// Not to be called by `deliver`.
    func stop()
}
