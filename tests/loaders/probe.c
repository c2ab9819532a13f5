/* The program that a world is about. It reads what to do from the file named by its argument, one command a line, and
   does all of it in one process:

       current DIRECTORY           SetCurrentDirectoryW
       path A;B                    PATH
       set DIRECTORY               SetDllDirectoryW; nothing takes it back
       add DIRECTORY               AddDllDirectory
       remove DIRECTORY            RemoveDllDirectory
       default FLAGS               SetDefaultDllDirectories
       load FLAGS NAME             LoadLibraryExW, or LoadLibraryW if there are no flags

   What it says begins with '>', since Wine's own trace goes into the same pipe: for each load `> load CODE PATH` and a
   line `> module PATH` for every module of the process, for each other command that fails `> refused CODE COMMAND`,
   and at the end `> end`, because an exit code says nothing under Wine. */
#define _WIN32_WINNT 0x0602
#define PSAPI_VERSION 2
#include <windows.h>
#include <psapi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST = 4096, MOST = 64 };

static struct { WCHAR directory[LONGEST]; DLL_DIRECTORY_COOKIE cookie; } added[MOST];
static int added_count;

static void say(const char *what, const WCHAR *path)
{
    static char line[LONGEST * 3], text[LONGEST * 3];
    DWORD written;
    int length;

    WideCharToMultiByte(CP_UTF8, 0, path, -1, text, sizeof text, NULL, NULL);
    length = snprintf(line, sizeof line, "> %s %s\n", what, text);
    WriteFile(GetStdHandle(STD_OUTPUT_HANDLE), line, length, &written, NULL);
}

static void list_modules(void)
{
    static HMODULE modules[4096];
    static WCHAR path[LONGEST];
    DWORD size, i;

    if (!EnumProcessModules(GetCurrentProcess(), modules, sizeof modules, &size)) return;
    for (i = 0; i < size / sizeof modules[0]; i++)
    {
        GetModuleFileNameW(modules[i], path, LONGEST);
        say("module", path);
    }
    /* Wine answers the next name with the module that it looked at last, if that is its name. The observer must not
       change what comes: let it be this program. */
    GetModuleFileNameW(GetModuleHandleW(NULL), path, LONGEST);
}

static void load(DWORD flags, const WCHAR *name)
{
    static WCHAR path[LONGEST];
    char what[32];
    HMODULE module = flags ? LoadLibraryExW(name, NULL, flags) : LoadLibraryW(name);
    DWORD code = module ? 0 : GetLastError();

    path[0] = 0;
    if (module) GetModuleFileNameW(module, path, LONGEST);
    snprintf(what, sizeof what, "load %lu", code);
    say(what, path);
    list_modules();
}

static BOOL add(const WCHAR *directory)
{
    if (added_count == MOST) return FALSE;
    wcsncpy(added[added_count].directory, directory, LONGEST - 1);
    added[added_count].cookie = AddDllDirectory(directory);
    return added[added_count].cookie && ++added_count;
}

/* The one of that name that was added last. */
static BOOL remove_added(const WCHAR *directory)
{
    int i;

    for (i = added_count - 1; i >= 0; i--)
    {
        DLL_DIRECTORY_COOKIE cookie = added[i].cookie;
        if (wcscmp(added[i].directory, directory)) continue;
        memmove(&added[i], &added[i + 1], (--added_count - i) * sizeof added[0]);
        return RemoveDllDirectory(cookie);
    }
    SetLastError(ERROR_NOT_FOUND);
    return FALSE;
}

static void perform(const char *verb, const WCHAR *rest)
{
    static WCHAR *name;
    char what[64];
    BOOL done;

    SetLastError(0);
    if (!strcmp(verb, "load"))
    {
        DWORD flags = wcstoul(rest, &name, 16);
        load(flags, name + 1);
        return;
    }
    if (!strcmp(verb, "current")) done = SetCurrentDirectoryW(rest);
    else if (!strcmp(verb, "path")) done = SetEnvironmentVariableW(L"PATH", rest);
    else if (!strcmp(verb, "set")) done = SetDllDirectoryW(*rest ? rest : NULL);
    else if (!strcmp(verb, "add")) done = add(rest);
    else if (!strcmp(verb, "remove")) done = remove_added(rest);
    else if (!strcmp(verb, "default")) done = SetDefaultDllDirectories(wcstoul(rest, NULL, 16));
    else done = FALSE;
    if (done) return;
    snprintf(what, sizeof what, "refused %lu %s", GetLastError(), verb);
    say(what, rest);
}

int main(int count, char **arguments)
{
    static char line[LONGEST];
    static WCHAR rest[LONGEST];
    FILE *commands = count == 2 ? fopen(arguments[1], "rb") : NULL;

    if (!commands) return 1;
    SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX | SEM_NOOPENFILEERRORBOX);
    while (fgets(line, sizeof line, commands))
    {
        char *argument;

        line[strcspn(line, "\r\n")] = 0;
        argument = line + strcspn(line, " ");
        if (*argument) *argument++ = 0;
        MultiByteToWideChar(CP_UTF8, 0, argument, -1, rest, LONGEST);
        perform(line, rest);
    }
    say("end", L"");
    /* What the DLLs do at the end of the process is of no interest. */
    TerminateProcess(GetCurrentProcess(), 0);
    return 0;
}
