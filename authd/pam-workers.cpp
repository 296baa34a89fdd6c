#include "authd/pam-workers.h"

#include <grp.h>
#include <linux/close_range.h>
#include <poll.h>
#include <pwd.h>
#include <shadow.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include <fmt/format.h>

#include "authd/pam-session.h"
#include "lib-base/text.h"
#include "lib-net/socket.h"

namespace culver {

namespace {
constexpr std::size_t kMessageLimit = 16 * 1024;
constexpr unsigned kModuleSeconds = 60;
constexpr std::size_t kIdleLimit = 64;

std::string serialize(const PamCall& call) {
    std::string out;
    for (std::string_view field : {std::string_view(call.service), std::string_view(call.user),
                                   std::string_view(call.password), std::string_view(call.remote_ip)})
        out += tab_escape(field) + '\t';
    return out + (call.session ? "s" : "") + (call.setcred ? "c" : "") +
           (call.kind == PamCall::Kind::Shadow ? "h" : "");
}

PamCall parse_call(std::string_view bytes) {
    auto fields = split(bytes, '\t');
    PamCall call;
    if (fields.size() < 5) return call;
    call.service = tab_unescape(fields[0]);
    call.user = tab_unescape(fields[1]);
    call.password = tab_unescape(fields[2]);
    call.remote_ip = tab_unescape(fields[3]);
    call.session = fields[4].find('s') != fields[4].npos;
    call.setcred = fields[4].find('c') != fields[4].npos;
    if (fields[4].find('h') != fields[4].npos) call.kind = PamCall::Kind::Shadow;
    return call;
}

std::string serialize(const PamAnswer& answer) {
    return fmt::format("{}\t{}\t{}\t{}\t{}\t{}", static_cast<int>(answer.verdict), answer.temporary_failure ? 1 : 0,
                       tab_escape(answer.user), tab_escape(answer.error), tab_escape(answer.message),
                       tab_escape(answer.secret.reveal()));
}

Result<PamAnswer> parse_answer(std::string_view bytes) {
    auto fields = split(bytes, '\t');
    auto verdict = parse_uint32(fields[0]);
    if (fields.size() != 6 || !verdict || *verdict > static_cast<unsigned>(Verdict::Expired))
        return fail(ErrorCode::Unavailable, "PAM worker gave a broken answer");
    PamAnswer answer;
    answer.verdict = static_cast<Verdict>(*verdict);
    answer.temporary_failure = fields[1] == "1";
    answer.user = tab_unescape(fields[2]);
    answer.error = tab_unescape(fields[3]);
    answer.message = tab_unescape(fields[4]);
    answer.secret = SecretString(tab_unescape(fields[5]));
    return answer;
}

PamAnswer read_shadow(const PamCall& call) {
    PamAnswer answer;
    errno = 0;
    const spwd* entry = ::getspnam(call.user.c_str());
    answer.verdict = entry ? Verdict::Match : Verdict::UnknownUser;
    if (entry) answer.secret = SecretString(entry->sp_pwdp ? entry->sp_pwdp : "");
    if (!entry && errno == EACCES) {
        answer.temporary_failure = true;
        answer.error = "getspnam() failed: Permission denied (only root may read /etc/shadow)";
    }
    return answer;
}

[[noreturn]] void work(UniqueFd socket, unsigned max_requests) {
    ::signal(SIGCHLD, SIG_DFL);  // pam_unix waits for its helper
    ::prctl(PR_SET_NAME, "auth-pam");
    static char buffer[kMessageLimit];
    for (unsigned served = 0; served < max_requests; ++served) {
        ssize_t n = ::recv(socket.get(), buffer, sizeof buffer, 0);
        if (n <= 0) break;
        PamCall call = parse_call({buffer, static_cast<std::size_t>(n)});
        ::explicit_bzero(buffer, sizeof buffer);
        // A module that hangs takes its process with it; authd hears of it by the closed socket.
        ::alarm(kModuleSeconds);
        PamAnswer answer = call.kind == PamCall::Kind::Shadow ? read_shadow(call) : run_pam(call);
        ::alarm(0);
        ::explicit_bzero(call.password.data(), call.password.size());
        std::string line = serialize(answer);
        if (::send(socket.get(), line.data(), line.size(), MSG_NOSIGNAL) < 0) break;
    }
    ::_exit(0);
}

void become(const std::string& user) {
    if (user.empty() || user == "root" || ::geteuid() != 0) return;
    const passwd* entry = ::getpwnam(user.c_str());
    if (!entry || ::initgroups(user.c_str(), entry->pw_gid) != 0 || ::setgid(entry->pw_gid) != 0 ||
        ::setuid(entry->pw_uid) != 0)
        ::_exit(1);
}

[[noreturn]] void supervise(UniqueFd channel, const PamWorkers::Options& options) {
    // Not one descriptor of authd: neither its listeners nor its master's channel may live on in here.
    if (::dup2(channel.get(), 3) != 3) ::_exit(1);
    channel.release();
    ::syscall(SYS_close_range, 4u, ~0u, 0u);
    UniqueFd master(3);
    ::signal(SIGCHLD, SIG_IGN);
    ::signal(SIGINT, SIG_IGN);
    ::signal(SIGHUP, SIG_IGN);
    ::signal(SIGTERM, SIG_DFL);
    ::prctl(PR_SET_NAME, "auth-pam-sv");
    become(options.user);
    char byte;
    while (::recv(master.get(), &byte, 1, 0) == 1) {
        auto pair = socket_pair(SOCK_SEQPACKET, Blocking::Yes);
        if (!pair) {
            (void)!::send(master.get(), "x", 1, MSG_NOSIGNAL);
            continue;
        }
        pid_t child = ::fork();
        if (child == 0) {
            pair->first.reset();
            master.reset();
            work(std::move(pair->second), options.max_requests);
        }
        int fd = pair->first.get();
        if (child < 0) (void)!::send(master.get(), "x", 1, MSG_NOSIGNAL);
        else if (!send_with_fds(master.get(), "w", {&fd, 1})) break;
    }
    ::_exit(0);
}
}  // namespace

Result<std::unique_ptr<PamWorkers>> PamWorkers::start(const Options& options) {
    auto pair = TRY(socket_pair(SOCK_SEQPACKET, Blocking::Yes));
    std::unique_ptr<PamWorkers> workers(new PamWorkers);
    pid_t child = ::fork();
    if (child < 0) return fail_errno("fork()");
    if (child == 0) {
        pair.first.reset();
        supervise(std::move(pair.second), options);
    }
    workers->channel_ = std::move(pair.first);
    return workers;
}

PamWorkers::~PamWorkers() = default;

Result<UniqueFd> PamWorkers::take_worker(bool& fresh) {
    std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
        UniqueFd worker = std::move(idle_.back());
        idle_.pop_back();
        fresh = false;
        return worker;
    }
    fresh = true;
    if (::send(channel_.get(), "w", 1, MSG_NOSIGNAL) != 1)
        return fail(ErrorCode::Unavailable, "the supervisor of the PAM processes has died; restart the auth service");
    auto answer = receive_with_fds(channel_.get(), 16);
    if (!answer) return fail(answer.error());
    if (answer->fds.empty()) return fail(ErrorCode::Unavailable, "a process for PAM could not be started");
    return std::move(answer->fds.front());
}

void PamWorkers::give_back(UniqueFd worker) {
    std::lock_guard lock(mutex_);
    if (idle_.size() < kIdleLimit) idle_.push_back(std::move(worker));
}

Result<PamAnswer> PamWorkers::authenticate(const PamCall& call) {
    std::string request = serialize(call);
    if (request.size() > kMessageLimit) return fail(ErrorCode::InvalidArgument, "PAM request is too long");
    while (true) {
        bool fresh = false;
        UniqueFd worker = TRY(take_worker(fresh));
        std::string reply;
        if (::send(worker.get(), request.data(), request.size(), MSG_NOSIGNAL) >= 0) {
            pollfd ready{worker.get(), POLLIN, 0};
            int count;
            do count = ::poll(&ready, 1, static_cast<int>((kModuleSeconds + 5) * 1000));
            while (count < 0 && errno == EINTR);
            char buffer[kMessageLimit];
            ssize_t n = count > 0 ? ::recv(worker.get(), buffer, sizeof buffer, 0) : -1;
            if (n > 0) reply.assign(buffer, static_cast<std::size_t>(n));
        }
        if (!reply.empty()) {
            ::explicit_bzero(request.data(), request.size());
            give_back(std::move(worker));
            return parse_answer(reply);
        }
        // A kept worker may just have reached its number of requests; a new one that dies means trouble.
        if (fresh)
            return fail(ErrorCode::Unavailable, fmt::format("a PAM module of service {} hung for {} secs or crashed",
                                                            call.service, kModuleSeconds));
    }
}

}  // namespace culver
