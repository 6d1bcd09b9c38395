/*
 * Why a factory test has failed, in Simplified Chinese. Recorded and reported it is in English (model/reasons.ts has each
 * text): from that it is found again of what it was made. What is not ours, a vendor's words or the system's, stays as it
 * is. Pure.
 */
import { paramsOf, REASONS, type ReasonKey, type Reasons } from "../model/reasons.ts";
import { MESSAGES_ZH } from "./messages-zh.ts";

/** Undefined: a part of it is of nothing that is known here, and so it is made of something else. */
type Chinese = {
  readonly [K in ReasonKey]: (...params: Parameters<Reasons[K]>) => string | undefined;
};

/** A part that is a reason itself. */
function around(group: string, what: string, make: (what: string) => string): string | undefined {
  const known = find([group, "any"], what);
  return known === undefined ? undefined : make(known);
}

const nameDisk = (disk: string) =>
  disk.replace(/^a disk without a model name, /, "型号未知的磁盘，");

const REASONS_ZH: Chinese = {
  "memory.untold": () => "内核没有报告内存容量",
  "memory.installed": (installed, wanted) => `内存 ${installed}，应为 ${wanted}`,
  "memory.usable": (usable, wanted) => `内核可用内存 ${usable}，达不到 ${wanted}`,
  "memory.lost": (installed, usable, wanted) =>
    `已安装内存 ${installed}，内核可用 ${usable}，达不到 ${wanted}`,

  "processors.untold": () => "内核没有报告处理器",
  "processors.count": (found, wanted) => `处理器 ${found} 个，应为 ${wanted} 个`,
  "processors.flags": (found, flags) => `处理器 ${found} 个，缺少 ${flags}`,

  "network.none": () => "没有网络接口",
  "network.driverless": (what, cards) =>
    around("network", what, (known) => `${known}（救援系统没有 ${cards} 的驱动程序）`),
  "network.dark": (what, ports) =>
    around("network", what, (known) => `${known}（${ports} 没有连接）`),
  "network.ports": (found, wanted) => `网络接口 ${found} 个，应为 ${wanted} 个`,
  "network.links": (linked, found, wanted) =>
    `${found} 个网络接口中有 ${linked} 个已连接，应为 ${wanted} 个`,

  "disk.model": (disk, wanted) => `${nameDisk(disk)}，应为 ${wanted}`,
  "disk.size": (disk, least) => `${nameDisk(disk)}，小于 ${least}`,

  "smart.no-tool": () => "没有查询磁盘的 smartctl",
  "smart.untold": () => "磁盘没有提供 SMART 健康状态",
  "smart.failing": () => "磁盘报告自身即将失效（SMART）",

  "rate.slow-read": (bytes, rate, least) => `读取 ${bytes}，每秒 ${rate}，低于每秒 ${least}`,
  "rate.slow-write": (bytes, rate, least) => `写入 ${bytes}，每秒 ${rate}，低于每秒 ${least}`,
  "rate.no-room": () => "用户数据卷没有可供写入测试的空间",
  "rate.silent": (seconds) => `磁盘没有应答：超过 ${seconds} 秒`,
  "rate.nothing": () => "没有传输任何数据",

  "clock.none": () => "没有硬件时钟",
  "clock.untold": () => "硬件时钟没有时间：没有设置，或电池耗尽",
  "clock.falls-silent": (time) => `硬件时钟的时间是 ${time}，一秒后却没有时间`,
  "clock.stands": (time) => `硬件时钟的时间是 ${time}，而且停止不走`,
  "clock.jumps": (time, later) => `硬件时钟的时间是 ${time}，一秒后却是 ${later}`,
  "clock.behind": (time, after) => `硬件时钟的时间是 ${time}，早于 ${after}：没有设置，或电池耗尽`,

  "watchdog.none": () => "没有硬件看门狗",

  "sensors.none": () => "没有传感器",
  "sensors.several": (one, rest) => {
    const [first, others] = [one, rest].map((part) => find(["sensors"], part));
    return first === undefined || others === undefined ? undefined : `${first}；${others}`;
  },
  "sensors.missing": (name) => `没有传感器 ${name}`,
  "sensors.range": (sensor, least, most) => `${sensor}，应在 ${least} 到 ${most} 之间`,

  "root.no-manifest": () => "找不到原始系统的文件清单：恢复卡是否已插入？",
  "root.bad-manifest": MESSAGES_ZH["bad-manifest"],
  "root.differs": (differences) => `新系统与原始系统不一致，例如“${differences}”`,

  "boot-loader.untold": () => "磁盘上没有引导方式的记录",
  "boot-loader.other-card": () => "ESP 上的恢复卡说明不是安装时的那一份",
  "boot-loader.no-core": (disk) => `${disk} 的引导扇区没有指向 GRUB 核心`,
  "boot-loader.other-sector": (disk) => `${disk} 的引导扇区不是 GRUB 的`,
  "boot-loader.other-core": (disk) => `${disk} 上的 GRUB 核心不是安装时的内容`,
  "boot-loader.no-description": () => "恢复卡说明不是 JSON",
  "boot-loader.file": (path, why) =>
    path.startsWith("/") ? MESSAGES_ZH["bad-file"](path, why) : undefined,

  "any.none": () => "没有运行任何测试",
  "any.unkept": (trouble) => `无法保存其输出（系统报告“${trouble}”）`,
  "any.also-unkept": (what, trouble) =>
    `${find(["vendor"], what) ?? what}（无法保存其输出，系统报告“${trouble}”）`,
  "any.given-up": (times) =>
    `开始 ${times} 次都没有结束：测试中断电，测试使本机停止，或结果无法保存`,
  "any.expected": (what) => {
    const known = find(GROUPS, what);
    return known === undefined ? undefined : `${known}，而配置要求有`;
  },

  "vendor.no-directory": (path) => `已安装系统中的 ${path} 不是目录`,
  "vendor.odd-name": (name) => `${name} 不能用作出厂测试的名称`,
  "vendor.too-many": (found, most) => `出厂测试有 ${found} 个，最多 ${most} 个`,
  "vendor.link-to-nothing": (path) => `链接 ${path} 没有目标`,
  "vendor.link-out": (path) => `链接 ${path} 指向已安装系统之外`,
  "vendor.link-circle": (path) => `链接 ${path} 循环`,
  "vendor.not-run": (trouble) => `无法运行（系统报告“${trouble}”）`,
  "vendor.left-busy": (paths) => `结束后仍在使用 ${paths}`,
  "vendor.left-running": () => "留下了无法结束的进程",
  "vendor.late": (seconds) => `没有在 ${seconds} 秒内结束`,
  "vendor.killed": (signal) => `被信号 ${signal} 终止`,
  "vendor.exit": (code) => `退出码为 ${code}`,
  "vendor.bailed-out": () => "测试自行中止",
  "vendor.two-plans": () => "输出了多个测试计划（TAP）",
  "vendor.odd-number": (found, due) => `应为第 ${due} 项测试，却是第 ${found} 项`,
  "vendor.no-plan": (points) => `运行 ${points} 项测试后结束，没有测试计划（TAP）`,
  "vendor.other-sum": (planned, ran) => `计划 ${planned} 项测试，运行了 ${ran} 项`,
  "vendor.last": (what, last) => around("vendor", what, (known) => `${known}：${last}`),
};

const KEYS = Object.keys(REASONS) as ReasonKey[];
const groupOf = (key: string) => key.slice(0, key.indexOf("."));
const GROUPS = [...new Set(KEYS.map(groupOf))];

/** The first that it can be made of. */
function find(groups: readonly string[], text: string): string | undefined {
  for (const key of KEYS.filter((one) => groups.includes(groupOf(one)))) {
    const params = paramsOf(key, text);
    const make = REASONS_ZH[key] as (...params: readonly string[]) => string | undefined;
    const made = params && make(...params);
    if (made !== undefined) return made;
  }
  return undefined;
}

/** Of a test that failed, `vendor` absent where nobody knows whose it is. What is not ours stays as it is. */
export function nameReason(
  { name, reason }: { readonly name: string; readonly reason: string },
  origin?: "built-in" | "vendor",
): string {
  const own = name.endsWith("-rate") ? "rate" : name;
  const groups = origin === "vendor" ? ["vendor"] : origin === undefined ? [own, "vendor"] : [own];
  return `${name}：${find([...groups, "any"], reason) ?? reason}`;
}

/** The same of `name: reason`, as it is recorded. */
export function nameFailure(text: string): string {
  const colon = text.indexOf(": ");
  if (colon < 0) return find(["any"], text) ?? text;
  return nameReason({ name: text.slice(0, colon), reason: text.slice(colon + 2) });
}
