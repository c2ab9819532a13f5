/* The program of a world. It reads commands from the file that its argument names, one per line,
   and performs all of them in one process:

       current DIRECTORY           SetCurrentDirectoryW
       path A;B                    PATH
       set DIRECTORY               SetDllDirectoryW; without a directory it is reset
       add DIRECTORY               AddDllDirectory
       remove DIRECTORY            RemoveDllDirectory
       default FLAGS               SetDefaultDllDirectories
       load FLAGS NAME             LoadLibraryExW, or LoadLibraryW if there are no flags

   Its output begins with '>', because Wine's trace goes into the same pipe: `> load CODE PATH` for
   each load and `> module PATH` for every module of the process then, `> refused CODE COMMAND` for
   each other command that fails, and `> end` at the end, because Wine's exit code is not
   reliable. */
#define _WIN32_WINNT 0x0602
#define PSAPI_VERSION 2
#include <windows.h>
#include <psapi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LENGTH = 4096, MAX_ADDED = 64 };

static struct { WCHAR directory[MAX_LENGTH]; DLL_DIRECTORY_COOKIE cookie; } added[MAX_ADDED];
static int added_count;

static void print(const char *what, const WCHAR *path)
{
    static char line[MAX_LENGTH * 3], text[MAX_LENGTH * 3];
    DWORD written;
    int length;

    WideCharToMultiByte(CP_UTF8, 0, path, -1, text, sizeof text, NULL, NULL);
    length = snprintf(line, sizeof line, "> %s %s\n", what, text);
    WriteFile(GetStdHandle(STD_OUTPUT_HANDLE), line, length, &written, NULL);
}

static void list_modules(void)
{
    static HMODULE modules[4096];
    static WCHAR path[MAX_LENGTH];
    DWORD size, i;

    if (!EnumProcessModules(GetCurrentProcess(), modules, sizeof modules, &size)) return;
    for (i = 0; i < size / sizeof modules[0]; i++)
    {
        GetModuleFileNameW(modules[i], path, MAX_LENGTH);
        print("module", path);
    }
    /* Wine finds the next name first in the module that was looked at last. Listing the modules
       must not change the next load, so that module is this program. */
    GetModuleFileNameW(GetModuleHandleW(NULL), path, MAX_LENGTH);
}

static void load(DWORD flags, const WCHAR *name)
{
    static WCHAR path[MAX_LENGTH];
    char what[32];
    HMODULE module = flags ? LoadLibraryExW(name, NULL, flags) : LoadLibraryW(name);
    DWORD code = module ? 0 : GetLastError();

    path[0] = 0;
    if (module) GetModuleFileNameW(module, path, MAX_LENGTH);
    snprintf(what, sizeof what, "load %lu", code);
    print(what, path);
    list_modules();
}

static BOOL add(const WCHAR *directory)
{
    if (added_count == MAX_ADDED) return FALSE;
    wcsncpy(added[added_count].directory, directory, MAX_LENGTH - 1);
    added[added_count].cookie = AddDllDirectory(directory);
    return added[added_count].cookie && ++added_count;
}

/* Removes the directory of that name that was added last. */
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
    print(what, rest);
}

int main(int count, char **arguments)
{
    static char line[MAX_LENGTH];
    static WCHAR rest[MAX_LENGTH];
    FILE *commands = count == 2 ? fopen(arguments[1], "rb") : NULL;

    if (!commands) return 1;
    SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX | SEM_NOOPENFILEERRORBOX);
    while (fgets(line, sizeof line, commands))
    {
        char *argument;

        line[strcspn(line, "\r\n")] = 0;
        argument = line + strcspn(line, " ");
        if (*argument) *argument++ = 0;
        MultiByteToWideChar(CP_UTF8, 0, argument, -1, rest, MAX_LENGTH);
        perform(line, rest);
    }
    print("end", L"");
    /* Without running what the DLLs do at the end of a process. */
    TerminateProcess(GetCurrentProcess(), 0);
    return 0;
}
