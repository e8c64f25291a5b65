import { AlertDialog } from "@base-ui/react/alert-dialog";
import type { ReactNode } from "react";

interface ConfirmDialogProps {
  open: boolean;
  title: string;
  children: ReactNode;
  /** The button that does it. */
  action: string;
  onConfirm: () => void;
  onClose: () => void;
}

export function ConfirmDialog({ open, title, children, action, onConfirm, onClose }: ConfirmDialogProps) {
  return (
    <AlertDialog.Root open={open} onOpenChange={(next) => !next && onClose()}>
      <AlertDialog.Portal>
        <AlertDialog.Backdrop className="fixed inset-0 z-40 bg-[light-dark(rgb(20_20_30/0.3),rgb(0_0_0/0.6))]" />
        <AlertDialog.Popup className="fixed top-[30%] left-1/2 z-50 w-100 max-w-[calc(100vw-2rem)] -translate-x-1/2 -translate-y-1/2 rounded-xl border border-line bg-raised p-5 shadow-xl outline-none">
          <AlertDialog.Title className="text-base">{title}</AlertDialog.Title>
          <AlertDialog.Description className="mt-1.5 text-muted">{children}</AlertDialog.Description>
          <div className="mt-5 flex justify-end gap-2">
            <AlertDialog.Close className="button">Keep it</AlertDialog.Close>
            <button
              type="button"
              className="button button-danger"
              onClick={() => {
                onConfirm();
                onClose();
              }}
            >
              {action}
            </button>
          </div>
        </AlertDialog.Popup>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  );
}
