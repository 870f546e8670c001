// The workloads of savina on the C++ Actor Framework (0.17): savina WORKLOAD N prints one JSON line per
// number.
//
// Two scheduler threads, every other setting as it comes. An actor has a dynamically typed function
// behavior. It has no supervisors: an actor that monitors another spawns it anew. Mailboxes have no
// bound, and timers cannot be cancelled. In `spawn` the main thread does what elsewhere an actor does: a
// worker searches its whole queue for another to steal from, which takes minutes when all are in one.

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstdint>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "caf/all.hpp"

using namespace caf;
using u64 = std::uint64_t;
using u32 = std::uint32_t;
using clock_type = std::chrono::steady_clock;
using go = atom_constant<atom("go")>;
using hold = atom_constant<atom("hold")>;
using ping = atom_constant<atom("ping")>;
using pong = atom_constant<atom("pong")>;
using hungry = atom_constant<atom("hungry")>;
using finished = atom_constant<atom("finished")>;
using denied = atom_constant<atom("denied")>;
using eat = atom_constant<atom("eat")>;
using touch = atom_constant<atom("touch")>;
using stop = atom_constant<atom("stop")>;
using crash = atom_constant<atom("crash")>;

constexpr u64 batch = 20, sources = 100, ring_size = 503, big_size = 200, workers = 60, philosophers = 20;

// Opens when n have arrived.
class latch {
public:
    explicit latch(u64 n) : left_(n) {}

    void arrive() {
        if (left_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
            std::lock_guard<std::mutex> lock(mutex_);
            open_ = true;
            opened_.notify_all();
        }
    }

    void wait() {
        std::unique_lock<std::mutex> lock(mutex_);
        opened_.wait(lock, [this] { return open_; });
    }

private:
    std::atomic<u64> left_;
    bool open_ = false;
    std::mutex mutex_;
    std::condition_variable opened_;
};

double nanoseconds(clock_type::duration d) {
    return static_cast<double>(std::chrono::duration_cast<std::chrono::nanoseconds>(d).count());
}

template <class Work>
double time_of(Work work) {
    auto start = clock_type::now();
    work();
    return nanoseconds(clock_type::now() - start);
}

double resident() {
    malloc_trim(0);
    std::ifstream statm("/proc/self/statm");
    u64 size = 0, pages = 0;
    statm >> size >> pages;
    return static_cast<double>(pages * static_cast<u64>(sysconf(_SC_PAGESIZE)));
}

double cpu_time() {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

void print(const std::string& row, u64 n, const std::map<std::string, double>& numbers) {
    std::cout << "{\"row\":\"" << row << "\",\"n\":" << n;
    for (auto& number : numbers)
        std::cout << ",\"" << number.first << "\":" << std::fixed << number.second;
    std::cout << "}" << std::endl;
}

void timed(u64 n, double ns) { print("", n, {{"ns", ns / static_cast<double>(n)}}); }

void lapped(const std::string& row, double ns, std::vector<double> laps) {
    std::sort(laps.begin(), laps.end());
    auto at = [&](double share) { return laps[static_cast<size_t>(static_cast<double>(laps.size() - 1) * share)]; };
    print(row, laps.size(), {{"ns", ns / static_cast<double>(laps.size())}, {"p50_ns", at(0.5)}, {"p99_ns", at(0.99)}});
}

// pingpong, ring

behavior node(stateful_actor<actor>* self, latch* done) {
    return {
        [=](const actor& next) { self->state = next; },
        [=](u64 left) {
            if (left > 0)
                self->send(self->state, left - 1);
            else
                done->arrive();
        },
    };
}

double ring(actor_system& system, u64 nodes, u64 hops) {
    latch done{1};
    std::vector<actor> all;
    for (u64 i = 0; i < nodes; ++i)
        all.push_back(system.spawn(node, &done));
    for (u64 i = 0; i < nodes; ++i)
        anon_send(all[i], all[(i + 1) % nodes]);
    return time_of([&] {
        anon_send(all[0], hops);
        done.wait();
    });
}

// counting

behavior counter(stateful_actor<u64>* self, u64 n, latch* done) {
    self->state = n;
    return {[=](u64) {
        if (--self->state == 0)
            done->arrive();
    }};
}

behavior producer(event_based_actor* self, actor counter) {
    return {[=](go, u64 n) {
        for (u64 i = 0; i < n; ++i)
            self->send(counter, i);
    }};
}

// fan-in

behavior source(stateful_actor<u64>* self, u32 id, actor sink, u64 batches, latch* sent) {
    self->state = batches;
    return {[=](go, u64 n) {
        if (self->state == 0)
            return;
        for (u64 i = 1; i <= n; ++i)
            self->send(sink, id, i == n);
        if (--self->state == 0)
            sent->arrive();
    }};
}

struct sink_state {
    std::vector<actor> sources;
    u64 left = 0;
};

behavior sink(stateful_actor<sink_state>* self, u64 n, latch* held, latch* gate, latch* done) {
    self->state.left = n;
    return {
        [=](const std::vector<actor>& all) { self->state.sources = all; },
        [=](hold) {
            held->arrive();
            gate->wait();
        },
        [=](u32 from, bool last) {
            auto& state = self->state;
            if (--state.left == 0)
                done->arrive();
            else if (last && !state.sources.empty())
                self->send(state.sources[from], go::value, batch);
        },
    };
}

double fan_in(actor_system& system, u64 n, bool deep) {
    latch held{1}, gate{1}, sent{sources}, done{1};
    auto to = system.spawn(sink, n, &held, &gate, &done);
    std::vector<actor> all;
    for (u32 id = 0; id < sources; ++id)
        all.push_back(system.spawn(source, id, to, deep ? 1 : n / sources / batch, &sent));
    if (deep) {
        anon_send(to, hold::value);
        held.wait();
    } else {
        anon_send(to, all);
    }
    return time_of([&] {
        for (auto& from : all)
            anon_send(from, go::value, deep ? n / sources : batch);
        if (deep) {
            sent.wait();
            gate.arrive();
        }
        done.wait();
    });
}

// ask

behavior service(event_based_actor*) {
    return {[](u64 i) { return i; }};
}

struct asker_state {
    actor service;
    u64 n = 0;
    latch* done = nullptr;
    std::vector<double>* laps = nullptr;
};

void ask_next(stateful_actor<asker_state>* self) {
    auto start = clock_type::now();
    self->request(self->state.service, infinite, static_cast<u64>(self->state.laps->size())).then([=](u64) {
        auto& state = self->state;
        state.laps->push_back(nanoseconds(clock_type::now() - start));
        if (state.laps->size() == state.n)
            state.done->arrive();
        else
            ask_next(self);
    });
}

behavior asker(stateful_actor<asker_state>* self, asker_state state) {
    self->state = std::move(state);
    return {[=](go) { ask_next(self); }};
}

void ask(actor_system& system, u64 n) {
    latch done{1};
    std::vector<double> laps;
    laps.reserve(n);
    auto from = system.spawn(asker, asker_state{system.spawn(service), n, &done, &laps});
    auto ns = time_of([&] {
        anon_send(from, go::value);
        done.wait();
    });
    lapped("", ns, std::move(laps));
}

void ask_thread(actor_system& system, u64 n) {
    scoped_actor self{system};
    auto to = system.spawn(service);
    std::vector<double> laps;
    auto ns = time_of([&] {
        for (u64 i = 0; i < n; ++i) {
            auto start = clock_type::now();
            self->request(to, infinite, i).receive([](u64) {}, [](const error&) { std::abort(); });
            laps.push_back(nanoseconds(clock_type::now() - start));
        }
    });
    lapped("", ns, std::move(laps));
}

// spawn, queued

struct lives {
    latch started, touched, stopped;
    explicit lives(u64 n) : started(n), touched(n), stopped(n) {}
};

behavior idle(event_based_actor* self, lives* all) {
    all->started.arrive();
    return {
        [=](touch) { all->touched.arrive(); },
        [=](stop) {
            self->quit();
            all->stopped.arrive();
        },
    };
}

void spawn_rounds(actor_system& system, u64 n) {
    std::map<std::string, double> first, second;
    for (auto* round : {&first, &second}) {
        auto ends = std::make_unique<lives>(n);
        std::vector<actor> children;
        children.reserve(n);
        auto before = resident();
        auto step = [&](latch& end, auto work) {
            return time_of([&] {
                work();
                end.wait();
            }) / static_cast<double>(n);
        };
        auto& numbers = *round;
        numbers["spawn"] = step(ends->started, [&] {
            for (u64 i = 0; i < n; ++i)
                children.push_back(system.spawn(idle, ends.get()));
        });
        numbers["idle"] = (resident() - before) / static_cast<double>(n);
        numbers["touch"] = step(ends->touched, [&] {
            for (auto& child : children)
                anon_send(child, touch::value);
        });
        numbers["used"] = (resident() - before) / static_cast<double>(n);
        numbers["stop"] = step(ends->stopped, [&] {
            for (auto& child : children)
                anon_send(child, stop::value);
            children.clear();
        });
        // The last to stop may not have left yet.
        ends.release();
    }
    print("", n, {{"ns", second["spawn"]}, {"bytes", first["idle"]}});
    print("first-message", n, {{"ns", second["touch"]}, {"bytes", first["used"]}});
    print("stop", n, {{"ns", second["stop"]}});
}

void queued(actor_system& system, u64 n) {
    latch held{1}, gate{1};
    auto holder = system.spawn([&](event_based_actor*) -> behavior {
        return {
            [&](hold) {
                held.arrive();
                gate.wait();
            },
            [](u64, u64) {},
        };
    });
    anon_send(holder, hold::value);
    held.wait();
    auto before = resident();
    for (u64 i = 0; i < n; ++i)
        anon_send(holder, i, i);
    print("", n, {{"bytes", (resident() - before) / static_cast<double>(n)}});
    gate.arrive();
}

// big

struct big_state {
    std::vector<actor> all;
    u64 left = 0;
    u64 random = 0;
};

behavior big(stateful_actor<big_state>* self, u32 id, u64 n, latch* done) {
    self->state.left = n + 1;
    self->state.random = (static_cast<u64>(id) + 1) * 0x9E3779B97F4A7C15ull | 1;
    return {
        [=](const std::vector<actor>& all) { self->state.all = all; },
        [=](ping, u32 from) { self->send(self->state.all[from], pong::value); },
        [=](pong) {
            auto& state = self->state;
            if (--state.left == 0)
                return done->arrive();
            state.random ^= state.random << 13;
            state.random ^= state.random >> 7;
            state.random ^= state.random << 17;
            self->send(state.all[state.random % big_size], ping::value, id);
        },
    };
}

// fork-join

behavior worker(stateful_actor<u64>* self, u64 n, latch* done) {
    self->state = n;
    return {[=](u64 i) {
        volatile double work = std::sin(static_cast<double>(i));
        static_cast<void>(work);
        if (--self->state == 0)
            done->arrive();
    }};
}

behavior dealer(event_based_actor* self, std::vector<actor> all) {
    return {[=](go, u64 rounds) {
        for (u64 i = 0; i < rounds; ++i)
            for (auto& worker : all)
                self->send(worker, i);
    }};
}

// philosophers

struct arbiter_state {
    std::vector<actor> all;
    std::vector<bool> used = std::vector<bool>(philosophers);
};

behavior arbiter(stateful_actor<arbiter_state>* self) {
    return {
        [=](const std::vector<actor>& all) { self->state.all = all; },
        [=](hungry, u32 id) {
            auto& state = self->state;
            auto right = (id + 1) % philosophers;
            if (state.used[id] || state.used[right])
                return self->send(state.all[id], denied::value);
            state.used[id] = state.used[right] = true;
            self->send(state.all[id], eat::value);
        },
        [=](finished, u32 id) {
            self->state.used[id] = self->state.used[(id + 1) % philosophers] = false;
        },
    };
}

behavior philosopher(stateful_actor<u64>* self, u32 id, actor arbiter, u64 n, latch* done) {
    self->state = n;
    return {
        [=](denied) { self->send(arbiter, hungry::value, id); },
        [=](eat) {
            self->send(arbiter, finished::value, id);
            if (--self->state == 0)
                done->arrive();
            else
                self->send(arbiter, hungry::value, id);
        },
    };
}

// restart

behavior fragile(event_based_actor* self, bool throws) {
    self->set_exception_handler([](std::exception_ptr&) { return make_error(sec::runtime_error); });
    return {
        [=](crash) {
            if (throws)
                throw std::runtime_error("as told");
            self->quit(make_error(sec::runtime_error));
        },
        [](u64 i) { return i; },
    };
}

behavior restarter(stateful_actor<actor>* self, bool throws, actor driver) {
    auto start = [=] {
        self->state = self->spawn<monitored>(fragile, throws);
        self->send(driver, self->state);
    };
    self->set_down_handler([=](const down_msg&) { start(); });
    start();
    return {[](go) {}};
}

double restarts(actor_system& system, u64 n, bool throws) {
    latch done{1};
    clock_type::time_point start;
    auto driver = system.spawn([&, n](stateful_actor<u64>* self) -> behavior {
        return {[&, n, self](const actor& fragile) {
            if (self->state == 0) {
                start = clock_type::now();
                self->state = 1;
                self->send(fragile, crash::value);
                return;
            }
            self->request(fragile, infinite, self->state).then([&, n, self, fragile](u64) {
                if (self->state++ == n)
                    done.arrive();
                else
                    self->send(fragile, crash::value);
            });
        }};
    });
    auto supervisor = system.spawn(restarter, throws, driver);
    done.wait();
    return nanoseconds(clock_type::now() - start);
}

// timers

void timers(actor_system& system, u64 n) {
    latch done{1};
    std::vector<double> late;
    late.reserve(n);
    auto hears = system.spawn([&, n](event_based_actor*) -> behavior {
        return {[&, n](u64 due) {
            late.push_back(nanoseconds(clock_type::now().time_since_epoch()) - static_cast<double>(due));
            if (late.size() == n)
                done.arrive();
        }};
    });
    auto sets = system.spawn([=](event_based_actor* self) -> behavior {
        return {[=](go) {
            for (u64 i = 0; i < n; ++i) {
                auto delay = std::chrono::milliseconds(1 + i % 100);
                auto due = clock_type::now() + delay;
                self->delayed_send(hears, delay, static_cast<u64>(nanoseconds(due.time_since_epoch())));
            }
        }};
    });
    auto before = cpu_time();
    anon_send(sets, go::value);
    done.wait();
    lapped("timer-fire", cpu_time() - before, std::move(late));
}

int main(int argc, char** argv) {
    if (argc != 3)
        return 2;
    std::string workload = argv[1];
    u64 n = std::stoull(argv[2]);
    actor_system_config config;
    config.set("scheduler.max-threads", 2u);
    actor_system system{config};
    std::map<std::string, std::function<void()>> all;
    all["pingpong"] = [&] { timed(n, ring(system, 2, 2 * n)); };
    all["ring"] = [&] { timed(n, ring(system, ring_size, n)); };
    all["counting"] = [&] {
        latch done{1};
        auto from = system.spawn(producer, system.spawn(counter, n, &done));
        timed(n, time_of([&] {
            anon_send(from, go::value, n);
            done.wait();
        }));
    };
    all["counting-thread"] = [&] {
        latch done{1};
        auto to = system.spawn(counter, n, &done);
        timed(n, time_of([&] {
            for (u64 i = 0; i < n; ++i)
                anon_send(to, i);
            done.wait();
        }));
    };
    all["fan-in"] = [&] { timed(n, fan_in(system, n, false)); };
    all["fan-in-deep"] = [&] { timed(n, fan_in(system, n, true)); };
    all["ask"] = [&] { ask(system, n); };
    all["ask-thread"] = [&] { ask_thread(system, n); };
    all["spawn"] = [&] { spawn_rounds(system, n); };
    all["queued"] = [&] { queued(system, n); };
    all["big"] = [&] {
        latch done{big_size};
        std::vector<actor> actors;
        for (u32 id = 0; id < big_size; ++id)
            actors.push_back(system.spawn(big, id, n / big_size, &done));
        for (auto& to : actors)
            anon_send(to, actors);
        timed(n, time_of([&] {
            for (auto& to : actors)
                anon_send(to, pong::value);
            done.wait();
        }));
    };
    all["fork-join"] = [&] {
        latch done{workers};
        std::vector<actor> actors;
        for (u64 i = 0; i < workers; ++i)
            actors.push_back(system.spawn(worker, n / workers, &done));
        auto from = system.spawn(dealer, actors);
        timed(n, time_of([&] {
            anon_send(from, go::value, n / workers);
            done.wait();
        }));
    };
    all["philosophers"] = [&] {
        latch done{philosophers};
        auto table = system.spawn(arbiter);
        std::vector<actor> actors;
        for (u32 id = 0; id < philosophers; ++id)
            actors.push_back(system.spawn(philosopher, id, table, n / philosophers, &done));
        anon_send(table, actors);
        timed(n, time_of([&] {
            for (auto& to : actors)
                anon_send(to, denied::value);
            done.wait();
        }));
    };
    all["restart-panic"] = [&] { timed(n, restarts(system, n, true)); };
    all["restart-error"] = [&] { timed(n, restarts(system, n, false)); };
    all["timers"] = [&] { timers(system, n); };
    auto found = all.find(workload);
    if (found != all.end())
        found->second();
    // The process ends with its actors, some of which hold each other.
    std::cout.flush();
    _exit(0);
}
