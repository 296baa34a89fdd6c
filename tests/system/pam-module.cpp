// A PAM module that does what its arguments say, for tests/system/auth_pam.py.
//
//     err=TEXT info=TEXT     says something to the user
//     prompt=TEXT echo=TEXT  asks, hidden or not, and writes the answer down
//     items                  writes down what the application has set
//     user=NAME              changes PAM_USER
//     rc=N                   the result; without it success
//     crash, exit            ends the process
//     hang=FILE              sleeps while that file exists
//     child=FILE             as hang, in a child of its own session
//     notes=FILE             where it writes down, in place of /var/tmp/pam-notes; the first argument
//
// It writes a line per call; what it knows before it hangs is there when it does.
#include <security/pam_ext.h>
#include <security/pam_modules.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void hang(const char* file) {
    for (int i = 0; i < 3000 && access(file, F_OK) == 0; ++i) usleep(100000);
}

static const char* item(pam_handle_t* handle, int number) {
    const void* value = nullptr;
    pam_get_item(handle, number, &value);
    return value ? static_cast<const char*>(value) : "-";
}

static int act(pam_handle_t* handle, const char* call, int flags, int count, const char** words) {
    bool elsewhere = count > 0 && !strncmp(words[0], "notes=", 6);
    FILE* notes = fopen(elsewhere ? words[0] + 6 : "/var/tmp/pam-notes", "a");
    if (!notes) return PAM_SYSTEM_ERR;
    fprintf(notes, "%s flags=%x uid=%d", call, static_cast<unsigned>(flags), static_cast<int>(geteuid()));
    int result = PAM_SUCCESS;
    for (int i = 0; i < count; ++i) {
        const char* value = strchr(words[i], '=');
        value = value ? value + 1 : "";
        if (!strncmp(words[i], "err=", 4)) pam_error(handle, "%s", value);
        if (!strncmp(words[i], "info=", 5)) pam_info(handle, "%s", value);
        if (!strncmp(words[i], "prompt=", 7) || !strncmp(words[i], "echo=", 5)) {
            char* answer = nullptr;
            pam_prompt(handle, words[i][0] == 'e' ? PAM_PROMPT_ECHO_ON : PAM_PROMPT_ECHO_OFF, &answer, "%s", value);
            fprintf(notes, " %s:%s", words[i], answer ? answer : "-");
            free(answer);
        }
        if (!strcmp(words[i], "items"))
            fprintf(notes, " service=%s user=%s tty=%s rhost=%s ruser=%s", item(handle, PAM_SERVICE),
                    item(handle, PAM_USER), item(handle, PAM_TTY), item(handle, PAM_RHOST), item(handle, PAM_RUSER));
        if (!strncmp(words[i], "user=", 5)) pam_set_item(handle, PAM_USER, value);
        if (!strncmp(words[i], "rc=", 3)) result = atoi(value);
        if (!strcmp(words[i], "pid")) fprintf(notes, " pid=%d", static_cast<int>(getpid()));
        if (!strcmp(words[i], "crash")) raise(SIGSEGV);
        if (!strcmp(words[i], "exit")) _exit(0);
        if (!strncmp(words[i], "hang=", 5)) {
            fflush(notes);
            hang(value);
        }
        if (!strncmp(words[i], "child=", 6)) {
            pid_t child = fork();
            if (child == 0) {
                setsid();
                hang(value);
                _exit(0);
            }
            fprintf(notes, " child=%d\n", static_cast<int>(child));
            fflush(notes);
            waitpid(child, nullptr, 0);
        }
    }
    fprintf(notes, "\n");
    fclose(notes);
    return result;
}

extern "C" {
int pam_sm_authenticate(pam_handle_t* h, int f, int c, const char** v) { return act(h, "authenticate", f, c, v); }
int pam_sm_setcred(pam_handle_t* h, int f, int, const char**) { return act(h, "setcred", f, 0, nullptr); }
int pam_sm_acct_mgmt(pam_handle_t* h, int f, int c, const char** v) { return act(h, "account", f, c, v); }
int pam_sm_open_session(pam_handle_t* h, int f, int c, const char** v) { return act(h, "open", f, c, v); }
int pam_sm_close_session(pam_handle_t* h, int f, int, const char**) { return act(h, "close", f, 0, nullptr); }
}
