defmodule SignalPort.TasksTest do
  @moduledoc "The tasks of mix. A consumer's project runs `mix signal_port.install`."
  use ExUnit.Case, async: false
  import ExUnit.CaptureIO
  alias Mix.Tasks.SignalPort.{Autopsy, Doctor, Install}

  setup do
    folder = Path.join(Mix.Project.build_path(), "tasks_test")
    File.rm_rf!(folder)
    File.mkdir_p!(folder)
    %{folder: folder}
  end

  test "autopsy of a folder without a library finds nothing", %{folder: folder} do
    assert {:ok, "There is no *.so and no *.dylib.\n"} = ended(fn -> Autopsy.run([folder]) end)
  end

  test "autopsy of a file that cannot be read exits with the status of the command" do
    assert {{:shutdown, 2}, _} = ended(fn -> Autopsy.run(["/no/library.so"]) end)
  end

  test "autopsy passes options on" do
    {:ok, printed} = ended(fn -> Autopsy.run(["--help"]) end)
    assert printed =~ "exit status:"
  end

  test "autopsy gives Python none of the other variables", %{folder: folder} do
    python = Path.join(folder, "python3")
    File.write!(python, "#!/bin/sh\nenv\n")
    File.chmod!(python, 0o700)
    use_python(python)
    System.put_env("SIGNAL_PORT_PLANTED", "planted")
    on_exit(fn -> System.delete_env("SIGNAL_PORT_PLANTED") end)
    {:ok, printed} = ended(fn -> Autopsy.run([folder]) end)
    assert printed =~ "PATH="
    refute printed =~ "planted"
  end

  test "doctor prints its report, and the calls can be answered" do
    {:ok, printed} = ended(fn -> Doctor.run([]) end)
    assert printed =~ "the port                     passed"
  end

  test "doctor exits with 1 if the port does not work" do
    use_python("/no/python3")
    {{:shutdown, 1}, printed} = ended(fn -> Doctor.run([]) end)
    assert printed =~ "/no/python3"
  end

  test "install changes nothing if the environment is as it should be" do
    assert {:ok, ""} = ended(fn -> Install.run([]) end)
  end

  test "tasks without arguments refuse them" do
    for task <- [Doctor, Install] do
      assert_raise Mix.Error, ~r/takes no arguments/, fn -> task.run(["now"]) end
    end
  end

  defp use_python(path) do
    :ok = Application.put_env(:signal_port, :python, path)
    on_exit(fn -> Application.delete_env(:signal_port, :python) end)
  end

  # What a task printed, and `:ok` or the reason of its exit.
  defp ended(task) do
    test = self()

    printed =
      capture_io(fn ->
        send(test, {:ended, catch_exit_of(task)})
      end)

    receive do: ({:ended, reason} -> {reason, printed})
  end

  defp catch_exit_of(task) do
    task.() && :ok
  catch
    :exit, reason -> reason
  end
end
